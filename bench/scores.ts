// What the matches of a case came to.
import type { Traffic } from './contestant.ts';
import type { PlayedTurn } from './match.ts';
import { type Spread, median, pairwiseRatios, spread } from './statistics.ts';

/** How many times as fast the first is as the second. */
export type Comparison<Name extends string> = readonly [Name, Name];

export class Scores<Name extends string> {
  private readonly matches: ReadonlyMap<Name, readonly PlayedTurn[]>[] = [];

  add(match: ReadonlyMap<Name, readonly PlayedTurn[]>): void {
    this.matches.push(match);
  }

  /** Everyone who took part, in the order in which they first did. */
  names(): Name[] {
    return [...new Set(this.matches.flatMap((match) => [...match.keys()]))];
  }

  /** The middle of all runs in all matches. */
  milliseconds(name: Name): number {
    return median(this.turns(name).flatMap((turn) => turn.milliseconds));
  }

  /**
   * What share of the peak that was measured beside each turn its runs reached: the median of the turns.
   * @param operations of a run
   */
  shareOfPeak(name: Name, operations: number): number {
    return median(
      this.turns(name).flatMap(({ milliseconds, peak }) =>
        peak === undefined ? [] : [operations / (median(milliseconds) / 1000) / peak],
      ),
    );
  }

  peakBytes(name: Name): number {
    return Math.max(...this.turns(name).map((turn) => turn.peakBytes));
  }

  /** What a run exchanged with other processes, the mean of all runs; undefined where there is nothing to exchange. */
  traffic(name: Name): Traffic | undefined {
    const turns = this.turns(name).filter(({ traffic }) => traffic !== undefined);
    if (turns.length === 0) return undefined;
    const runs = sum(turns.map(({ milliseconds }) => milliseconds.length));
    const bytes = turns.map(({ traffic }) => traffic!.bytes ?? NaN);
    return { bytes: sum(bytes) / runs, seconds: sum(turns.map(({ traffic }) => traffic!.seconds)) / runs };
  }

  /** From the rounds in which both took a turn; undefined where there was none. */
  speed([a, b]: Comparison<Name>): Spread | undefined {
    const ratios = this.matches.flatMap((match) => {
      const [mine, theirs] = [match.get(a), match.get(b)].map((turns) =>
        turns?.map(({ milliseconds }) => milliseconds),
      );
      return mine && theirs ? pairwiseRatios(mine, theirs) : [];
    });
    return ratios.length === 0 ? undefined : spread(ratios);
  }

  private turns(name: Name): PlayedTurn[] {
    return this.matches.flatMap((match) => match.get(name) ?? []);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
