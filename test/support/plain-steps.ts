// A run's steps without a trainer: what its checkpoints are compared with.
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { Backend } from '../../src/backends/backend.ts';
import type { CheckpointPart } from '../../src/train/run-store.ts';
import { latestCheckpoint, readCheckpointPart } from '../../src/runs/checkpoint.ts';
import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import { Loader } from '../../src/data/loader.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { prepareTraining } from '../../src/runner/prepare-run.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { type StepNumbers, stepInputs } from '../../src/train/step-inputs.ts';
import { stripes } from './tiny-run.ts';

export interface PlainStep extends StepNumbers {
  /** Which batch of the data it learns from, from 1 and ascending. */
  readonly batch: number;
}

/** Digests of a step's state, by name. */
export type StateDigests = ReadonlyMap<string, string>;

/** The state of a run on `stripes` after these steps. */
export async function stateAfter(
  input: ConfigInput,
  backend: Backend,
  steps: readonly PlainStep[],
): Promise<StateDigests> {
  const source = stripes();
  const config = resolveConfig(input);
  const { executable, conditioning, buffers } = await prepareTraining({ config, backend, source });
  const loader = new Loader(source, { batchSize: config.train.batchSize, seed: config.seed });
  let read = 0;
  for (const { batch, ...numbers } of steps) {
    while (read < batch - 1) {
      await loader.next();
      read++;
    }
    const { values, annotations, shape } = await loader.next();
    read++;
    await executable.run({
      x0: values,
      ...conditioning.encode(annotations, shape),
      ...stepInputs(config, numbers),
    });
  }
  loader.close();
  const state = new Map<string, string>();
  for (const [name, buffer] of buffers) state.set(name, digest(await buffer.read()));
  return state;
}

/** The last checkpoint of a run holds this state. */
export async function checkSaved(run: string, wanted: StateDigests): Promise<void> {
  const saved = await latestCheckpoint(checkpointFolder(run));
  const compare = (name: string, data: ArrayBufferView): void =>
    expect([name, digest(data)]).toEqual([name, wanted.get(name)]);
  const read = async (part: CheckpointPart): Promise<[string, StoredTensor][]> =>
    // The table that files carry is no state.
    [...(await readCheckpointPart(saved, part))].filter(([name]) => name !== 'pos_embed');
  for (const part of ['model', 'optimizer', 'averages'] as const)
    for (const [name, { data }] of await read(part)) compare(name, data);
  for (const [name, { data }] of await read('ema')) compare(`ema/${name}`, data);
}

function digest({ buffer, byteOffset, byteLength }: ArrayBufferView): string {
  return createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex');
}
