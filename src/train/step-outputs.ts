// What a step tells beside its loss. All of it is small, and none of it changes what the step computes.
import { concat, globalNorm, reshape } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { blockOf } from './blocks.ts';

/** The loss is told for so many equal parts of the time from 0 (data) to 1 (noise). */
export const timeBins = 4;

/** The norm of each block's gradient, in the order of `blocksOf` -> [blocks]. */
export function blockNorms(parameters: readonly Tensor[], gradients: readonly Tensor[]): Tensor {
  const blocks = new Map<string, Tensor[]>();
  gradients.forEach((gradient, i) => {
    const block = blockOf(parameters[i]!.name!);
    blocks.set(block, [...(blocks.get(block) ?? []), gradient]);
  });
  return stack([...blocks.values()].map(globalNorm));
}

/** Numbers [] side by side, so that reading them takes one call. */
export function stack(numbers: readonly Tensor[]): Tensor {
  return concat(
    numbers.map((number) => reshape(number, [1])),
    0,
  );
}

/**
 * The mean loss of the samples in each part of the time, from data to noise; null for a part that no sample fell into.
 * @param losses of samples at `times`, both [B]
 */
export function lossByTime(losses: ArrayLike<number>, times: ArrayLike<number>): (number | null)[] {
  const sums = new Float64Array(timeBins);
  const counts = new Int32Array(timeBins);
  for (let i = 0; i < losses.length; i++) {
    const bin = Math.min(timeBins - 1, Math.floor(times[i]! * timeBins));
    sums[bin]! += losses[i]!;
    counts[bin]!++;
  }
  return Array.from(sums, (sum, bin) => (counts[bin] === 0 ? null : sum / counts[bin]!));
}
