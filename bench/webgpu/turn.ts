import type { Contestant } from './cases.ts';

export interface Turn {
  /** What the first run of the turn ended in. */
  readonly result: number;
  /** Of each run after the first. */
  readonly milliseconds: readonly number[];
  /** Until the first run was over, from before anything was compiled; only of a contestant's first turn. */
  readonly cold?: number;
}

/** A run that does not count, and as many as it takes to fill the seconds. */
export async function takeTurn(
  contestant: Contestant,
  { seconds, began }: { readonly seconds: number; readonly began: number | undefined },
): Promise<Turn> {
  const result = await contestant.run();
  const cold = began === undefined ? {} : { cold: performance.now() - began };
  const milliseconds: number[] = [];
  const start = performance.now();
  while (milliseconds.length === 0 || performance.now() - start < 1000 * seconds) {
    const before = performance.now();
    await contestant.run();
    milliseconds.push(performance.now() - before);
  }
  return { result, milliseconds, ...cold };
}
