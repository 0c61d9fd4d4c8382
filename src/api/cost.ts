import type { Backend } from '../backends/backend.ts';
import type { Cost } from '../models/cost.ts';
import { type SampleModel, costOf, countParameters } from '../models/model.ts';
import type { ModelConfig } from '../train/settings.ts';
import { type OwnModel, createSampleModel } from '../train/create-model.ts';
import { estimateMemory } from '../train/memory-estimate.ts';
import { resolveConfig } from '../config/resolve-config.ts';

/** Bytes that training with a batch takes, at its peak, beside the process itself. */
export interface TrainingMemory {
  readonly batchSize: number;
  /** Weights, both moments of AdamW and the averaged weights. */
  readonly state: number;
  /** Activations and gradients: the arena. */
  readonly activations: number;
  /** The copy that checkpoints are written from, batches, samples, and scratch memory of kernels. */
  readonly other: number;
  readonly total: number;
}

export interface ModelCost {
  readonly parameters: number;
  /** Floating-point operations per sample. */
  readonly cost: Cost;
  readonly memory: readonly TrainingMemory[];
}

/**
 * What a model needs, from the plans of its training steps on a backend. Nothing of that size is allocated.
 * @param own the model, where the config says custom
 * @throws RectiflowError where the sizes do not fit together, or the config and what is handed over do not
 */
export function modelCost(
  config: ModelConfig,
  backend: Backend,
  batchSizes: readonly number[],
  own: OwnModel = {},
): ModelCost {
  const model = createSampleModel(config, undefined, own);
  const memory = batchSizes.map((batchSize) => trainingMemory(config, model, backend, batchSize));
  return { parameters: countParameters(model), cost: costOf(model), memory };
}

function trainingMemory(
  sizes: ModelConfig,
  model: SampleModel,
  backend: Backend,
  batchSize: number,
): TrainingMemory {
  const config = resolveConfig({ data: { source: 'custom' }, model: sizes, train: { batchSize } });
  const { state, activations, scratch, snapshot, data } = estimateMemory({
    config,
    backend,
    model,
    source: { count: 0 },
    microBatch: batchSize,
  });
  const other = scratch + snapshot + data;
  return { batchSize, state, activations, other, total: state + activations + other };
}
