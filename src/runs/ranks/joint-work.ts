// What ranks do together beside training, such as a checkpoint that all write: training makes its collective calls meanwhile, so that
// ranks tell each other by messages. Rank 0 leads; the others do what it orders, and learn what came of it.
import { RectiflowError } from '../../tensor/errors.ts';
import type { ErrorCode } from '../../tensor/errors.ts';
import { type Communicator, nameOfRank } from '../../train/ranks/communicator.ts';

/** What rank 0 tells: something to do, or how all of it ended. */
type Told = { readonly order: unknown } | Ended;
type Ended = { readonly result: unknown } | { readonly failure: Failure };

/** How one rank's part of an order ended. */
type Report = { readonly done: unknown } | { readonly failure: Failure };

interface Failure {
  readonly code: ErrorCode;
  readonly lines: readonly string[];
}

/**
 * Has all ranks do something, and waits until all have ended.
 * @param order plain JSON, for the other ranks
 * @param own what rank 0 itself does of it
 * @returns what it came to on each rank, by rank; plain JSON
 * @throws what the first of those threw that failed
 */
export type Together = <Done>(order: unknown, own: () => Promise<Done>) => Promise<Done[]>;

/** One kind of work. All ranks begin it equally often; one is done before the next begins. */
export class JointWork {
  readonly #communicator: Communicator;
  readonly #topic: string;
  readonly #inbox: Inbox;

  /** @param topic another one for each kind of work that may go on at the same time */
  constructor(communicator: Communicator, topic: string) {
    this.#communicator = communicator;
    this.#topic = topic;
    this.#inbox = new Inbox(communicator, topic);
  }

  /**
   * On rank 0. Whatever fails, on any rank, is an error of all of them.
   * @param work returns plain JSON, which the other ranks are told
   */
  async lead<Result>(work: (together: Together) => Promise<Result>): Promise<Result> {
    try {
      const result = await work((order, own) => this.#together(order, own));
      this.#tellAll({ result: result ?? null });
      return result;
    } catch (error) {
      this.#tellAll({ failure: failureOf(error) });
      throw error;
    }
  }

  /**
   * On every other rank.
   * @param work does what rank 0 orders; returns plain JSON, which it is told
   * @returns what `lead` did there
   * @throws RectiflowError as rank 0 tells it
   */
  async follow<Result>(work: (order: unknown) => Promise<unknown>): Promise<Result> {
    for (;;) {
      const told = (await this.#inbox.next(0)) as Told;
      if ('result' in told) return told.result as Result;
      if ('failure' in told) throw new RectiflowError(told.failure.code, told.failure.lines);
      const report: Report = await work(told.order).then(
        (done) => ({ done: done ?? null }),
        (error: unknown) => ({ failure: failureOf(error) }),
      );
      this.#communicator.send(0, this.#topic, report);
    }
  }

  /** Listens no more. */
  close(): void {
    this.#inbox.close();
  }

  async #together<Done>(order: unknown, own: () => Promise<Done>): Promise<Done[]> {
    this.#tellAll({ order });
    const others = this.#others.map(async (rank) => {
      const report = (await this.#inbox.next(rank)) as Report;
      if ('done' in report) return report.done as Done;
      const [first, ...more] = report.failure.lines;
      const lines = [`${nameOfRank(this.#communicator, rank)}: ${first}`, ...more];
      throw new RectiflowError(report.failure.code, lines);
    });
    const ended = await Promise.allSettled([own(), ...others]);
    return ended.map((each) => {
      if (each.status === 'rejected') throw each.reason;
      return each.value;
    });
  }

  get #others(): number[] {
    return Array.from({ length: this.#communicator.ranks - 1 }, (_, i) => i + 1);
  }

  #tellAll(told: Told): void {
    for (const rank of this.#others) this.#communicator.send(rank, this.#topic, told);
  }
}

function failureOf(error: unknown): Failure {
  const { message } = error as Error;
  return { code: error instanceof RectiflowError ? error.code : 'internal', lines: message.split('\n') };
}

/** The messages of a topic, in order, one rank's apart from another's. */
class Inbox {
  readonly #arrived = new Map<number, unknown[]>();
  readonly #waiting = new Map<number, (message: unknown) => void>();
  readonly close: () => void;

  constructor(communicator: Communicator, topic: string) {
    this.close = communicator.onMessage(topic, (message, from) => {
      const waiting = this.#waiting.get(from);
      this.#waiting.delete(from);
      if (waiting) waiting(message);
      else this.#arrived.set(from, [...(this.#arrived.get(from) ?? []), message]);
    });
  }

  /** The next one of a rank; whoever asks waits for it before asking again. */
  next(from: number): Promise<unknown> {
    const arrived = this.#arrived.get(from) ?? [];
    if (arrived.length > 0) return Promise.resolve(arrived.shift());
    return new Promise((resolve) => {
      this.#waiting.set(from, resolve);
    });
  }
}
