import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { arraySource } from '../../src/sources/arrays.ts';
import type { Source } from '../../src/data/source.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { randomValues } from './random.ts';

/**
 * A run on real digits that takes seconds, also on the reference backend: 16 tokens, 32 wide, 2 deep. On one thread, because
 * tests run beside each other and threads that wait for descheduled ones are slow.
 */
export const tinyDigits = {
  name: 'tiny',
  data: { source: 'digits', split: 'test' },
  model: { width: 32, depth: 2, heads: 2, patchSize: 7 },
  train: { steps: 60, batchSize: 8, logEvery: 10, sampleEvery: 0, checkpointEvery: 30 },
  sample: { steps: 2, perClass: 2, labels: [0, 1] },
  backend: { threads: 1 },
} as const satisfies ConfigInput;

/** A run on `stripes`, for programs. */
export const tinyStripes = {
  name: 'stripes',
  data: { source: 'custom' },
  model: { width: 16, depth: 1, heads: 2, patchSize: 4, channels: 1, imageSize: [8, 12], classes: 3 },
  train: { steps: 12, batchSize: 5, logEvery: 4, sampleEvery: 0, checkpointEvery: 0 },
  optimizer: { learningRate: 1e-3 },
  sample: { steps: 2, perClass: 2 },
} as const satisfies ConfigInput;

/** 17 images of 8x12, a number that no batch divides, in three classes. */
export function stripes(): Source {
  const values = randomValues(17 * 96, 3);
  return arraySource({
    name: 'stripes',
    images: Float32Array.from(values),
    shape: [1, 8, 12],
    labels: Array.from({ length: 17 }, (_, i) => i % 3),
  });
}

/** A digest of each of these files: where they differ, a test shows it in a line. */
export async function checkpointDigests(run: string, step: number): Promise<Record<string, string>> {
  const files = Object.entries(await checkpointBytes(run, step));
  return Object.fromEntries(
    files.map(([name, bytes]) => [name, createHash('sha256').update(bytes).digest('hex')]),
  );
}

/** The three files of a checkpoint, to be compared byte by byte. */
export async function checkpointBytes(run: string, step: number): Promise<Record<string, Buffer>> {
  const folder = join(run, 'checkpoints', `step-${String(step).padStart(7, '0')}`);
  const names = ['model.safetensors', 'ema.safetensors', 'optimizer.safetensors'];
  const files = await Promise.all(
    names.map(async (name) => [name, await readFile(join(folder, name))] as const),
  );
  return Object.fromEntries(files);
}
