// A run that begins with weights has a checkpoint before its first step, of step 0.
import type { Module } from '../nn/module.ts';
import { type ParameterGroup, optimizerOf, slotTensor } from '../optim/optimizer.ts';
import { greatest } from '../tensor/extremes.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import type { DataRecord } from './data-record.ts';
import { optimizersOf } from './run-program.ts';
import type { Checkpoint } from './run-store.ts';
import type { TrainingConfig } from './settings.ts';

/** What a run begins with: tensors under the names of the model's parameters. */
export interface BeginningWeights {
  readonly model: StoredTensors;
  /** The main average; the weights themselves where there is none. */
  readonly ema: StoredTensors;
  /** Averages beside it, by `averageTensor`; what the config asks for beyond these begins with the weights. */
  readonly averages?: StoredTensors | undefined;
  /** The optimizer's slots, by `slotTensor`; zeros where there are none. */
  readonly optimizer?: StoredTensors | undefined;
}

export interface FirstCheckpoint {
  readonly config: Pick<TrainingConfig, 'model' | 'optimizer'>;
  /** What has the weights as its parameters. */
  readonly model: Pick<Module, 'parameters'>;
  readonly weights: BeginningWeights;
  /** What the weights know of the data that they were trained on. */
  readonly data: DataRecord;
  /** What its state holds beside that. */
  readonly state: Readonly<Record<string, unknown>>;
}

/** Of step 0: nothing has been trained, nothing of the data has been seen. */
export function firstCheckpoint({ config, model, weights, data, state }: FirstCheckpoint): Checkpoint {
  const start = { position: { epoch: 0, offset: 0 }, seconds: 0, data };
  const metadata = { model: JSON.stringify(config.model), data: JSON.stringify(data) };
  const { optimizer = zeroSlots(model, optimizersOf(config.optimizer)), ...others } = weights;
  return { ...others, optimizer, step: 0, state: { ...start, ...state }, metadata };
}

/** All of them views of the same zeros. */
function zeroSlots(
  { parameters }: Pick<Module, 'parameters'>,
  groups: readonly ParameterGroup[],
): StoredTensors {
  const zeros = new Float32Array(greatest(parameters.map(({ shape }) => sizeOf(shape))));
  const slots = new Map<string, StoredTensor>();
  for (const { name, shape } of parameters) {
    const tensor: StoredTensor = { dtype: 'F32', shape, data: zeros.subarray(0, sizeOf(shape)) };
    const optimizer = optimizerOf(groups, { name, shape });
    for (const slot of optimizer.slots) slots.set(slotTensor(optimizer, slot, name), tensor);
  }
  return slots;
}
