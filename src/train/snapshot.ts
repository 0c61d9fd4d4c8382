// Between a backend's buffers and the files of a checkpoint.
import { join } from 'node:path';
import type { Backend, Buffer, Buffers } from '../backends/backend.ts';
import { type CheckpointPart, type SavedCheckpoint, readCheckpointPart } from '../checkpoint/checkpoint.ts';
import type { StoredTensors } from '../checkpoint/safetensors.ts';
import { toFloat32 } from '../checkpoint/to-float32.ts';
import type { Model } from '../models/model.ts';
import { fileError, formatShape } from '../tensor/errors.ts';
import { sameShape, sizeOf } from '../tensor/shape.ts';
import { averagedWeights } from './state.ts';
import { statePrefixes } from './step.ts';

/** Which buffers each file of a checkpoint holds, by the names that they have in it. */
function partsOf(model: Model, buffers: Buffers): Readonly<Record<CheckpointPart, Buffers>> {
  const moments = [...buffers].filter(
    ([name]) => name.startsWith(statePrefixes.m) || name.startsWith(statePrefixes.v),
  );
  return {
    model: new Map(model.parameters.map(({ name }) => [name, buffers.get(name)!])),
    ema: averagedWeights(model, buffers),
    optimizer: new Map(moments),
  };
}

/** A copy of a training step's whole state, in memory that is allocated once: each `take` replaces the copy before it. */
export class Snapshot {
  readonly parts: Readonly<Record<CheckpointPart, StoredTensors>>;
  readonly #copies = new Map<Buffer, Float32Array>();

  constructor(model: Model, buffers: Buffers) {
    const { model: weights, ema, optimizer } = partsOf(model, buffers);
    this.parts = { model: this.#store(weights), ema: this.#store(ema), optimizer: this.#store(optimizer) };
  }

  async take(): Promise<void> {
    for (const [buffer, copy] of this.#copies) await buffer.readInto(copy);
  }

  #store(buffers: Buffers): StoredTensors {
    return new Map(
      [...buffers].map(([name, buffer]) => {
        const copy = this.#copies.get(buffer) ?? new Float32Array(sizeOf(buffer.shape));
        // Touched now: the system finds memory when it is written to first, for which no step should have to wait.
        copy.fill(0);
        this.#copies.set(buffer, copy);
        return [name, { dtype: 'F32', shape: buffer.shape, data: copy }];
      }),
    );
  }
}

/**
 * Puts a checkpoint's tensors back where a `Snapshot` found them.
 * @throws RectiflowError naming the file and the tensors that do not fit the model
 */
export async function restoreSnapshot(model: Model, buffers: Buffers, saved: SavedCheckpoint): Promise<void> {
  const parts = partsOf(model, buffers);
  // The optimizer last: fixed tables are in both sets of weights, trained ones are told apart by their buffers.
  for (const part of ['model', 'ema', 'optimizer'] as const) await restorePart(saved, part, parts[part]);
}

/** Loads one set of a checkpoint's weights onto a backend, for sampling. */
export async function loadWeights(
  backend: Backend,
  model: Model,
  saved: SavedCheckpoint,
  part: 'model' | 'ema',
): Promise<Buffers> {
  const weights = new Map(
    model.parameters.map(({ name, shape }) => [name, backend.allocate({ shape, dtype: 'float32' })]),
  );
  await restorePart(saved, part, weights);
  return weights;
}

async function restorePart(saved: SavedCheckpoint, part: CheckpointPart, buffers: Buffers): Promise<void> {
  const tensors = await readCheckpointPart(saved, part);
  const problems = [
    ...[...buffers].flatMap(([name, { shape }]) => {
      const tensor = tensors.get(name);
      if (tensor === undefined) return `${name} is missing`;
      if (sameShape(tensor.shape, shape)) return [];
      return `${name} has shape ${formatShape(tensor.shape)}, the model ${formatShape(shape)}`;
    }),
    ...[...tensors.keys()].filter((name) => !buffers.has(name)).map((name) => `${name} is not of this model`),
  ];
  if (problems.length > 0) {
    const shown =
      problems.slice(0, 5).join('; ') + (problems.length > 5 ? `; and ${problems.length - 5} more` : '');
    const advice = 'Has config.json of the run been edited? Undo it';
    throw fileError(join(saved.path, `${part}.safetensors`), `does not fit the model: ${shown}`, advice);
  }
  for (const [name, buffer] of buffers) await buffer.write(toFloat32(tensors.get(name)!));
}
