// What the matches of a case came to.
import type { VariantName } from './cases.ts';
import type { Turn } from './contestant.ts';
import { type Spread, median, pairwiseRatios, spread } from './statistics.ts';

/** How many times as fast the first is as the second. */
export type Comparison = readonly [VariantName, VariantName];

export class Scores {
  private readonly matches: ReadonlyMap<VariantName, readonly Turn[]>[] = [];

  add(match: ReadonlyMap<VariantName, readonly Turn[]>): void {
    this.matches.push(match);
  }

  /** Everyone who took part, in the order in which they first did. */
  names(): VariantName[] {
    return [...new Set(this.matches.flatMap((match) => [...match.keys()]))];
  }

  /** The middle of all runs in all matches. */
  milliseconds(name: VariantName): number {
    return median(this.turns(name).flatMap((turn) => turn.milliseconds));
  }

  peakBytes(name: VariantName): number {
    return Math.max(...this.turns(name).map((turn) => turn.peakBytes));
  }

  /** From the rounds in which both took a turn; undefined where there was none. */
  speed([a, b]: Comparison): Spread | undefined {
    const ratios = this.matches.flatMap((match) => {
      const [mine, theirs] = [match.get(a), match.get(b)].map((turns) =>
        turns?.map(({ milliseconds }) => milliseconds),
      );
      return mine && theirs ? pairwiseRatios(mine, theirs) : [];
    });
    return ratios.length === 0 ? undefined : spread(ratios);
  }

  private turns(name: VariantName): Turn[] {
    return this.matches.flatMap((match) => match.get(name) ?? []);
  }
}
