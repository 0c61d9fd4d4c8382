// What becomes of a kept run when it goes on, on some backend.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Backend,
  type MetricsRecord,
  type Source,
  type StoredTensors,
  readMetrics,
  readSafetensors,
  resume,
  sample,
} from '../../src/index.ts';
import { steps, stopped } from './kept-runs.ts';

/** The numbers of a step that neither depend on the clock nor on the averages. */
const compared = ['step', 'loss', 'gradNorm', 'lossByTime', 'heldOutLoss', 'trainedLoss', 'epoch', 'skipped'];

export interface Outcome {
  /** What is logged of the steps after the stop. */
  readonly logged: readonly MetricsRecord[];
  /** Of the last step: the parts of its checkpoint. */
  readonly tensors: Readonly<Record<'model' | 'optimizer' | 'ema', StoredTensors>>;
  /** Of the last step: averages beside the main one, where the run keeps any. */
  readonly averages: StoredTensors | undefined;
  /** Made with the averages of the checkpoint that was kept. */
  readonly samplesBefore: Float32Array;
  /** Made with the weights of the last step. */
  readonly samplesAfter: Float32Array;
}

/** What is written down of an outcome on the reference backend: of tensors and samples, the SHA-256 of their bytes. */
export interface Expected {
  readonly logged: readonly MetricsRecord[];
  readonly model: Readonly<Record<string, string>>;
  readonly optimizer: Readonly<Record<string, string>>;
  readonly samplesBefore: string;
  readonly samplesAfter: string;
}

/** A file of the checkpoint after so many steps. */
export function checkpointFile(run: string, step: number, part: string): string {
  return join(run, 'checkpoints', `step-${String(step).padStart(7, '0')}`, `${part}.safetensors`);
}

/** The tensors of a safetensors file. */
export async function tensorsOf(path: string): Promise<StoredTensors> {
  return (await readSafetensors(path)).tensors;
}

/** Goes on with a run, which is changed by this, from the stop to its end. */
export async function goOn(run: string, source: Source, backend: Backend): Promise<Outcome> {
  const settings = { backend, count: 2, seed: 5 };
  const before = await sample(run, { ...settings, weights: 'ema' });
  const { step, finished } = await resume(run, { source, backend });
  if (!finished || step !== steps) throw new Error(`${run} went on to step ${step} of ${steps}`);
  const after = await sample(run, { ...settings, weights: 'model' });
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  const part = (name: string): Promise<StoredTensors> => tensorsOf(checkpointFile(run, steps, name));
  return {
    logged: records
      .filter((record) => Number(record['step']) > stopped)
      .map((record) => Object.fromEntries(compared.map((name) => [name, record[name]]))) as MetricsRecord[],
    tensors: { model: await part('model'), optimizer: await part('optimizer'), ema: await part('ema') },
    averages: existsSync(checkpointFile(run, steps, 'averages')) ? await part('averages') : undefined,
    samplesBefore: before.values,
    samplesAfter: after.values,
  };
}

/** An outcome as it is written down. */
export function digest({ logged, tensors, samplesBefore, samplesAfter }: Outcome): Expected {
  return {
    logged,
    model: digests(tensors.model),
    optimizer: digests(tensors.optimizer),
    samplesBefore: sha256(samplesBefore),
    samplesAfter: sha256(samplesAfter),
  };
}

function digests(tensors: StoredTensors): Record<string, string> {
  const sorted = [...tensors].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, { data }]) => [name, sha256(data)]));
}

function sha256(data: ArrayBufferView): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash('sha256').update(bytes).digest('hex');
}
