// What the matches of a case came to.
import type { Turn } from './contestant.ts';
import { type Spread, median, pairwiseRatios, spread } from './statistics.ts';

/** How many times as fast the first is as the second. */
export type Comparison<Name extends string> = readonly [Name, Name];

export class Scores<Name extends string> {
  private readonly matches: ReadonlyMap<Name, readonly Turn[]>[] = [];

  add(match: ReadonlyMap<Name, readonly Turn[]>): void {
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

  peakBytes(name: Name): number {
    return Math.max(...this.turns(name).map((turn) => turn.peakBytes));
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

  private turns(name: Name): Turn[] {
    return this.matches.flatMap((match) => match.get(name) ?? []);
  }
}
