// A shard of latents: the numbers of its samples in memory, and the files that they become.
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors } from '../../formats/safetensors-file.ts';
import { bytesOf } from '../../formats/safetensors.ts';
import { syncDirectory, writeDurably } from '../../host/durable.ts';
import type { StoredTensor } from '../../tensor/stored-tensor.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';
import type { ChannelSums } from './channel-sums.ts';
import type { JournalRecord } from './journal.ts';
import { type EncodedShard, type EncodingSettings, tensorNames } from './manifest.ts';

/** `000003` */
export function shardName(index: number): string {
  return String(index).padStart(6, '0');
}

/**
 * Writes `name.safetensors` and, of a set with captions, `name.jsonl`.
 * @param records of its samples, in their order, without those that are left out
 * @param sums are added to
 */
export async function writeShard(
  folder: string,
  name: string,
  records: readonly JournalRecord[],
  settings: EncodingSettings,
  sums: ChannelSums,
): Promise<EncodedShard> {
  const { shape, precision, classes, captions } = settings;
  const dtype = precision === 'float16' ? 'F16' : 'F32';
  const Storage = precision === 'float16' ? Uint16Array : Float32Array;
  const size = sizeOf(shape);
  const names = tensorNames(settings);
  const tensors = new Map<string, StoredTensor & { readonly data: Uint16Array | Float32Array }>(
    names.map((each) => [
      each,
      { dtype, shape: [records.length, ...shape], data: new Storage(records.length * size) },
    ]),
  );
  const bytes = size * Storage.BYTES_PER_ELEMENT;
  records.forEach(({ numbers }, i) => {
    names.forEach((each, part) => {
      const values = numbers!.subarray(part * bytes, (part + 1) * bytes);
      bytesOf(tensors.get(each)!.data).set(values, i * bytes);
    });
  });
  for (const ending of settings.flip > 0 ? ['', '_flip'] : ['']) {
    const [means, deviations] = [tensors.get(`mean${ending}`)!, tensors.get(`deviation${ending}`)];
    for (let i = 0; i < records.length; i++) {
      const sample = (tensor: StoredTensor): Float32Array =>
        toFloat32({ ...tensor, data: tensor.data.subarray(i * size, (i + 1) * size) as Float32Array });
      sums.add({ mean: sample(means), ...(deviations && { deviation: sample(deviations) }) });
    }
  }
  const labels = Int32Array.from(records, ({ label }) => label ?? 0);
  const all: Map<string, StoredTensor> = new Map(tensors);
  if (classes !== undefined) all.set('labels', { dtype: 'I32', shape: [records.length], data: labels });
  const file = `${name}.safetensors`;
  const written = await writeInPlace(folder, file, (path) => writeSafetensors(path, all));
  const { length: count } = records;
  if (captions === 'none') return { name: file, ...written, count };
  const lines = Buffer.from(records.map(({ text }) => `${text}\n`).join(''));
  const texts = await writeInPlace(folder, `${name}.jsonl`, (path) => writeDurably(path, [lines]));
  return { name: file, ...written, count, captions: { name: `${name}.jsonl`, ...texts } };
}

async function writeInPlace<T>(
  folder: string,
  name: string,
  write: (path: string) => Promise<T>,
): Promise<T> {
  const temporary = join(folder, `${name}.partial`);
  await rm(temporary, { force: true });
  const written = await write(temporary);
  await rename(temporary, join(folder, name));
  await syncDirectory(folder);
  return written;
}
