import type { Backend } from '../backends/backend.ts';
import type { Cost } from '../models/cost.ts';
import { type Model, countParameters } from '../models/model.ts';
import { bytesOf, planMemory } from '../program/index.ts';
import type { ModelConfig } from '../train/config.ts';
import { createModel } from '../train/create-model.ts';
import { runProgram } from '../train/run-program.ts';
import { resolveConfig } from '../train/resolve-config.ts';

/** Bytes that a training step of a batch needs, at its peak. */
export interface TrainingMemory {
  readonly batchSize: number;
  /** Weights, both moments of AdamW and the averaged weights. */
  readonly state: number;
  /** Activations, gradients and the batch itself: the step's arena. */
  readonly activations: number;
  readonly total: number;
}

export interface ModelCost {
  /** Trainable ones. */
  readonly parameters: number;
  /** Floating-point operations per sample. */
  readonly cost: Cost;
  readonly memory: readonly TrainingMemory[];
}

/**
 * What a model needs, from the plans of its training steps on a backend. Nothing of that size is allocated.
 * @throws RectiflowError where the sizes do not fit together
 */
export function modelCost(config: ModelConfig, backend: Backend, batchSizes: readonly number[]): ModelCost {
  const model = createModel(config);
  const memory = batchSizes.map((batchSize) => trainingMemory(config, model, backend, batchSize));
  return { parameters: countParameters(model), cost: model.cost, memory };
}

function trainingMemory(
  sizes: ModelConfig,
  model: Model,
  backend: Backend,
  batchSize: number,
): TrainingMemory {
  const config = resolveConfig({ data: { source: 'custom' }, model: sizes, train: { batchSize } });
  const program = backend.lower(runProgram(config, model));
  const state = program.state.reduce((total, tensor) => total + bytesOf(tensor), 0);
  const inputs = program.inputs.reduce((total, tensor) => total + bytesOf(tensor), 0);
  const activations = planMemory(program).arenaBytes + inputs;
  return { batchSize, state, activations, total: state + activations };
}
