// What a run does beside its steps, counted.
import type { RunConfig } from '../../config/config.ts';

/** How often something is done in a whole run. */
export interface Workload {
  readonly steps: number;
  /** Steps whose numbers are read and logged. */
  readonly logged: number;
  /** Evaluations of the held-out loss. */
  readonly heldOut: number;
  /** Pictures of samples: a grid and paths. */
  readonly grids: number;
  readonly checkpoints: number;
  /** Checkpoints that are there at the end. */
  readonly kept: number;
  /** Stored copies of the power-function averages. */
  readonly averages: number;
}

/** @param showsPictures whether samples of the data can be shown */
export function workloadOf(config: RunConfig, showsPictures: boolean): Workload {
  const { train, heldOut, ema } = config;
  const { steps, logEvery, sampleEvery, checkpointEvery, keepCheckpoints, keepEvery } = train;
  const isHeldOut = heldOut.count > 0;
  const checkpoints = withLast(steps, checkpointEvery);
  const periods = [logEvery, checkpointEvery, ...(isHeldOut ? [heldOut.every] : [])];
  // The last step is always logged, and the first, which sums with the others unless all are.
  const logged = withLast(steps, ...periods) + (steps > 1 && !periods.includes(1) ? 1 : 0);
  return {
    steps,
    logged,
    heldOut: isHeldOut ? withLast(steps, heldOut.every) : 0,
    grids: showsPictures ? withLast(steps, sampleEvery) : 0,
    checkpoints,
    kept: keptAtEnd(steps, { checkpointEvery, keepCheckpoints, keepEvery }),
    averages: multiples(steps, [ema.snapshotEvery]),
  };
}

/** Numbers from 1 to `last` that are multiples of one of the periods, or the last. */
function withLast(last: number, ...periods: number[]): number {
  const isDue = periods.some((period) => period > 0 && last % period === 0);
  return multiples(last, periods) + (isDue ? 0 : 1);
}

/** Numbers from 1 to `last` that are multiples of at least one period, by inclusion and exclusion; a period of 0 has none. */
function multiples(last: number, periods: readonly number[]): number {
  const [first, ...others] = periods.filter((period) => period > 0);
  if (first === undefined) return 0;
  const shared = others.map((other) => leastCommonMultiple(first, other));
  return Math.floor(last / first) + multiples(last, others) - multiples(last, shared);
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

/** The newest of the checkpoints, and those whose steps stay for good. */
function keptAtEnd(
  steps: number,
  {
    checkpointEvery,
    keepCheckpoints,
    keepEvery,
  }: Pick<RunConfig['train'], 'checkpointEvery' | 'keepCheckpoints' | 'keepEvery'>,
): number {
  const all = withLast(steps, checkpointEvery);
  const newest = Math.min(all, keepCheckpoints);
  if (keepEvery === 0 || checkpointEvery === 0) return newest;
  // Those that stay are before the newest.
  const last = Math.floor(steps / checkpointEvery) * checkpointEvery;
  const isLastExtra = last < steps ? 1 : 0;
  const oldestNew = last - (newest - 1 - isLastExtra) * checkpointEvery;
  const before = Math.max(0, oldestNew - 1);
  return newest + multiples(before, [leastCommonMultiple(checkpointEvery, keepEvery)]);
}
