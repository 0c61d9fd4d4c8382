import type { Backend } from '../backends/backend.ts';
import { type Cost, costPerImage } from '../models/cost.ts';
import { DiT } from '../models/dit.ts';
import type { DiTConfig } from '../models/dit-config.ts';
import { countParameters } from '../models/model.ts';
import { bytesOf, planMemory } from '../program/index.ts';
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
  /** Floating-point operations per image. */
  readonly cost: Cost;
  readonly memory: readonly TrainingMemory[];
}

/**
 * What a model needs, from the plans of its training steps on a backend. Nothing of that size is allocated.
 * @throws RectiflowError where the sizes do not fit together
 */
export function modelCost(sizes: DiTConfig, backend: Backend, batchSizes: readonly number[]): ModelCost {
  const model = new DiT(sizes);
  const memory = batchSizes.map((batchSize) => trainingMemory(model, backend, batchSize));
  return { parameters: countParameters(model), cost: costPerImage(sizes), memory };
}

function trainingMemory(model: DiT, backend: Backend, batchSize: number): TrainingMemory {
  const config = resolveConfig({ data: { source: 'custom' }, model: model.config, train: { batchSize } });
  const program = backend.lower(runProgram(config, model));
  const state = program.state.reduce((total, tensor) => total + bytesOf(tensor), 0);
  const inputs = program.inputs.reduce((total, tensor) => total + bytesOf(tensor), 0);
  const activations = planMemory(program).arenaBytes + inputs;
  return { batchSize, state, activations, total: state + activations };
}
