// How long ranks compute and how long they wait, so that one that is slow can be named.
import type { Communicator } from './communicator.ts';
import type { Exchange } from './exchange.ts';
import type { StepMetrics } from '../metrics.ts';
import { mean, median } from '../monitor/statistics.ts';
import type { PreparedTraining } from '../prepare.ts';

export type TimesOfRanks = Required<
  Pick<StepMetrics, 'ranks' | 'computing' | 'communication' | 'efficiency'>
> &
  Pick<StepMetrics, 'dataWait'> &
  Required<Pick<StepMetrics, 'slowestRank' | 'slowdown'>>;

export class RankTimes {
  readonly #communicator: Communicator;
  readonly #exchange: Exchange;
  /** What the watches showed when they were read last, in seconds. */
  #stepping = 0;
  #waiting = 0;

  /** Undefined where one trains alone. */
  static of({
    communicator,
    exchange,
  }: Pick<PreparedTraining, 'communicator' | 'exchange'>): RankTimes | undefined {
    return communicator && exchange && new RankTimes(communicator, exchange);
  }

  private constructor(communicator: Communicator, exchange: Exchange) {
    this.#communicator = communicator;
    this.#exchange = exchange;
  }

  /**
   * Of all ranks, since the last time; all of them call it.
   * @param steps of that time @param elapsed seconds of it @param dataWait the share of it in which this rank waited for data
   */
  async take(steps: number, elapsed: number, dataWait: number): Promise<TimesOfRanks> {
    const { stepping, waiting } = this.#exchange;
    const waited = waiting.seconds - this.#waiting;
    const computed = stepping.seconds - this.#stepping - waited;
    [this.#stepping, this.#waiting] = [stepping.seconds, waiting.seconds];
    const own = Float32Array.of(computed / steps, waited / steps, elapsed / steps, dataWait);
    const all = await this.#communicator.gather(own);
    return summaryOf(
      Array.from({ length: all.length / own.length }, (_, rank) => {
        const [computing, exchanging, inAll, forData] = all.subarray(rank * own.length);
        return { computing: computing!, waiting: exchanging!, inAll: inAll!, dataWait: forData! };
      }),
    );
  }
}

/** Of one rank: seconds of a step, and the share of the time in which it waited for data. */
interface OfRank {
  readonly computing: number;
  /** For other ranks, and for what they send. */
  readonly waiting: number;
  /** In all. Where another rank saves or draws between steps, that is in it, too: to this one it is waiting. */
  readonly inAll: number;
  readonly dataWait: number;
}

/** @param ofRanks two at least */
export function summaryOf(ofRanks: readonly OfRank[]): TimesOfRanks {
  const computing = ofRanks.map((each) => each.computing);
  const most = Math.max(...computing);
  const slowestRank = computing.indexOf(most);
  return {
    ranks: ofRanks.length,
    computing: median(computing),
    // Who waits least waits for no slower rank.
    communication: Math.min(...ofRanks.map(({ waiting }) => waiting)),
    efficiency: Math.min(1, mean(computing) / Math.min(...ofRanks.map(({ inAll }) => inAll))),
    slowestRank,
    slowdown: most / median(computing.toSpliced(slowestRank, 1)),
    dataWait: Math.max(...ofRanks.map(({ dataWait }) => dataWait)),
  };
}
