// What a step tells beside its loss. All of it is small, and none of it changes what the step computes.
import { concat, constant, globalNorm, reshape, slice } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { blockOf } from './blocks.ts';
import { type Ownership, ownedPart, slicesOf } from './ranks/ownership.ts';

/** The loss is told for so many equal parts of the time from 0 (data) to 1 (noise). */
export const timeBins = 4;

/**
 * The norms of what is owned of each block's gradient, slice by slice, blocks in the order of `blocksOf` -> [owned slices, blocks].
 * @param parameters that the gradients are of
 */
export function sliceNorms(
  parameters: readonly Pick<Tensor, 'name' | 'shape'>[],
  gradients: readonly Tensor[],
  own: Ownership,
): Tensor {
  const names = parameters.map(({ name }) => blockOf(name!));
  const blocks = [...new Set(names)];
  const norms = slicesOf(own).flatMap((one) => {
    const parts = gradients.map((gradient) => ownedPart(gradient, one));
    return blocks.map((block) => {
      const ofBlock = parts.filter((part, i) => part !== undefined && names[i] === block) as Tensor[];
      return ofBlock.length > 0 ? globalNorm(ofBlock) : constant(gradients[0]!, [], Float64Array.of(0));
    });
  });
  return reshape(stack(norms), [own.count, blocks.length]);
}

/** The norm of each block's gradient, of the norms of its slices [slices, blocks] -> [blocks]. */
export function blockNorms(norms: Tensor): Tensor {
  const [slices, blocks] = norms.shape as [number, number];
  if (slices === 1) return reshape(norms, [blocks]);
  return stack(Array.from({ length: blocks }, (_, block) => globalNorm([slice(norms, 1, block, 1)])));
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
