// The two sets of weights that a run is judged by: those of the step, and their average.
import type { Buffers } from '../../backends/backend.ts';
import type { Module } from '../../nn/module.ts';
import type { Exchange } from './exchange.ts';
import { averagedWeights } from '../state.ts';

export type WeightSet = 'ema' | 'model';

export interface WeightSets {
  /** Where a set lies, by the names of the parameters. Programs may be compiled for it at any time. */
  readonly buffers: Readonly<Record<WeightSet, Buffers>>;
  /** Whether both are in the same buffers, one at a time: what is compiled for one is for the other, too. */
  readonly takeTurns: boolean;
  /** Runs what needs a set to be in its buffers. Where sets take turns, all ranks call it, and what is run fails on all or none. */
  with<T>(set: WeightSet, use: () => Promise<T>): Promise<T>;
}

/** @param buffers the training step's state @param exchange where others have a part of the average */
export function weightSetsOf(model: Module, buffers: Buffers, exchange: Exchange | undefined): WeightSets {
  if (exchange === undefined)
    return {
      buffers: { ema: averagedWeights(model, buffers), model: buffers },
      takeTurns: false,
      with: (_, use) => use(),
    };
  return {
    buffers: { ema: buffers, model: buffers },
    takeTurns: true,
    with: (set, use) => (set === 'ema' ? exchange.withAverages(use) : use()),
  };
}
