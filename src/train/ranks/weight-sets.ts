// The two sets of weights that a run is judged by: those of the step, and their average; and averages beside that.
import type { Buffers } from '../../backends/backend.ts';
import type { Module } from '../../nn/module.ts';
import { valueError } from '../../tensor/errors.ts';
import { groupAverages } from '../averages.ts';
import type { Exchange } from './exchange.ts';
import { averagedWeights } from '../state.ts';

export type WeightSet = 'ema' | 'model';

export interface WeightSets {
  /** Where a set lies, by the names of the parameters. Programs may be compiled for it at any time. */
  readonly buffers: Readonly<Record<WeightSet, Buffers>>;
  /** Whether both are in the same buffers, one at a time: what is compiled for one is for the other, too. */
  readonly takeTurns: boolean;
  /**
   * The same of any weights that there are, and always the same object for those of a name.
   * @param weights a set, or an average by its name: `ema:0.999`
   * @throws RectiflowError where there are none of that name
   */
  buffersOf(weights: string): Buffers;
  /** Runs what needs a set to be in its buffers. Where sets take turns, all ranks call it, and what is run fails on all or none. */
  with<T>(set: WeightSet, use: () => Promise<T>): Promise<T>;
}

/** What of its weights a run can make samples with. @param isShared whether others have a part of the averages: then of the main one alone */
export function weightNames(buffers: Buffers, isShared: boolean): string[] {
  const further = isShared ? [] : [...groupAverages(buffers).keys()];
  return ['ema', 'model', ...further.map((name) => `ema:${name}`)];
}

/** @param buffers the training step's state @param exchange where others have a part of the average */
export function weightSetsOf(model: Module, buffers: Buffers, exchange: Exchange | undefined): WeightSets {
  const takeTurns = exchange !== undefined;
  const ema = takeTurns ? buffers : averagedWeights(model, buffers);
  const known = new Map<string, Buffers>([
    ['ema', ema],
    ['model', buffers],
  ]);
  return {
    buffers: { ema, model: buffers },
    takeTurns,
    buffersOf(weights) {
      const names = weightNames(buffers, takeTurns);
      if (!names.includes(weights))
        throw valueError('sample', 'weights', `one of ${names.join(', ')}`, weights);
      if (!known.has(weights))
        known.set(weights, averagedWeights(model, buffers, weights.slice('ema:'.length)));
      return known.get(weights)!;
    },
    with: (set, use) => (set === 'ema' && exchange ? exchange.withAverages(use) : use()),
  };
}
