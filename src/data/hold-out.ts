import { counted } from '../tensor/counted.ts';
import { dataError } from '../tensor/errors.ts';
import { streams } from '../tensor/random-streams.ts';
import { epochOrder } from './sampler.ts';
import { selectSamples } from './source-view.ts';
import type { Source, SourceFacts } from './source.ts';

/** A set, without some of its samples. */
export interface HeldOutSplit {
  /** All but those that are held out, in their order. */
  readonly trained: Source;
  readonly heldOut: Source;
  /** As many of `trained`, to compare with. */
  readonly seen: Source;
}

/**
 * Keeps samples out of training: a choice at random, which is a function of the seed and the size of the set alone.
 * @param count from 1
 * @throws RectiflowError as `checkHeldOut` does
 */
export function holdOut(source: Source, count: number, seed: number): HeldOutSplit {
  checkHeldOut(source, count);
  const order = epochOrder(source.count, seed, 0, streams.heldOut);
  const subset = (indices: Uint32Array): Source =>
    selectSamples(source, indices.length, (index) => indices[index]!);
  return {
    trained: subset(order.slice(count).toSorted()),
    heldOut: subset(order.slice(0, count)),
    seen: subset(order.slice(count, 2 * count)),
  };
}

/** @throws RectiflowError where more than half of the samples would be held out */
export function checkHeldOut({ name, count: samples }: SourceFacts, count: number): void {
  if (2 * count <= samples) return;
  const problem = `has ${counted(samples, 'sample')}, of which heldOut.count keeps ${count} out of training`;
  throw dataError(name, problem, `Set heldOut.count to ${Math.floor(samples / 2)} or less`);
}
