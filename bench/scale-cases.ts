// On how many ranks, and over which links, steps are measured to see how near plans of ranks come.

export interface ScaleCase {
  /** Of `rankCase`. */
  readonly model: string;
  readonly ranks: number;
  /** All of them on one machine, or each on one of its own, joined by such a link. */
  readonly link: 'memory' | Rate;
  /** Whether the constants of the plan are fitted to it; the others tell whether they hold. */
  readonly isFitted: boolean;
}

export type Rate = '100Mbit' | '300Mbit' | '1Gbit' | '10Gbit';

/** For all numbers of ranks. */
export const shards = 8;

const fitted = [
  ['m-64', 2, 'memory'],
  ['m-64', 4, 'memory'],
  ['m-64', 2, '1Gbit'],
  ['m-64', 4, '1Gbit'],
  ['m-64', 2, '10Gbit'],
  ['small', 2, 'memory'],
  ['small', 2, '1Gbit'],
  ['small', 4, '100Mbit'],
] as const;

/** Other models and batches, other ranks and other links. */
const heldOut = [
  ['s-256', 2, 'memory'],
  ['s-256', 4, 'memory'],
  ['s-256', 2, '1Gbit'],
  ['s-256', 4, '10Gbit'],
  ['s-256', 2, '300Mbit'],
  ['wide-16', 2, 'memory'],
  ['wide-16', 8, 'memory'],
  ['wide-16', 2, '1Gbit'],
  ['wide-16', 4, '300Mbit'],
  ['wide-16', 4, '10Gbit'],
  ['m-64', 8, '1Gbit'],
  ['small', 4, 'memory'],
  ['small', 2, '100Mbit'],
  ['small', 4, '1Gbit'],
] as const;

const asCase =
  (isFitted: boolean) =>
  ([model, ranks, link]: readonly [string, number, ScaleCase['link']]): ScaleCase => ({
    model,
    ranks,
    link,
    isFitted,
  });

export const scaleCases: readonly ScaleCase[] = [...fitted.map(asCase(true)), ...heldOut.map(asCase(false))];

/** `m-64, 4 ranks over 1Gbit` */
export function titleOf({ model, ranks, link }: ScaleCase): string {
  return `${model}, ${ranks} ranks ${link === 'memory' ? 'of one machine' : `over ${link}`}`;
}
