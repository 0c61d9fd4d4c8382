import { join } from 'node:path';
import { DurableFile, writeDurably } from '../../host/durable.ts';
import { bytesOf } from '../../formats/safetensors.ts';
import type { BadSamples } from '../../data/bad-samples.ts';
import type { ReadKey, Source } from '../../data/source.ts';
import { CAPTIONS, LABELS, SAMPLES } from './manifest.ts';
import type { Manifest, PackedFile } from './manifest.ts';
import { toBytes } from '../../data/values.ts';
import { samplesOf } from './samples.ts';

export type ArrayParts = Required<Pick<Manifest, 'dtype' | 'bounded' | 'files'>>;

/** Writes samples.bin, and labels.bin and captions.jsonl where there are labels and captions. */
export async function writeArray(
  source: Source,
  folder: string,
  key: ReadKey,
  bad: BadSamples,
  onSample: (done: number) => void,
): Promise<ArrayParts> {
  // Most sets are bytes throughout; of one that is not, the first sample usually tells.
  return (
    (await writeAs('uint8', source, folder, key, bad, onSample)) ??
    (await writeAs('float32', source, folder, key, bad, onSample))!
  );
}

/** @returns undefined, with nothing left behind, where a sample has values that uint8 cannot hold */
async function writeAs(
  dtype: 'uint8' | 'float32',
  source: Source,
  folder: string,
  key: ReadKey,
  bad: BadSamples,
  onSample: (done: number) => void,
): Promise<ArrayParts | undefined> {
  const samples = await DurableFile.create(join(folder, SAMPLES));
  const captions = source.captions ? await DurableFile.create(join(folder, CAPTIONS)) : undefined;
  const labels = new Int32Array(source.classes === undefined ? 0 : source.count);
  let bounded = true;
  let count = 0;
  try {
    for await (const sample of samplesOf(source, key, bad)) {
      const { index, values, label, captions: told } = sample;
      const bytes = dtype === 'uint8' ? toBytes(values) : bytesOf(values);
      if (bytes === undefined) {
        await samples.abandon();
        await captions?.abandon();
        return undefined;
      }
      bounded &&= values.every((value) => Math.abs(value) <= 1);
      await samples.write(bytes);
      if (source.classes !== undefined) labels[index] = label!;
      await captions?.write(Buffer.from(`${JSON.stringify(told)}\n`));
      count = index + 1;
      onSample(count);
    }
  } catch (error) {
    await samples.abandon();
    await captions?.abandon();
    throw error;
  }
  const files: PackedFile[] = [{ name: SAMPLES, ...(await samples.finish()) }];
  if (captions !== undefined) files.push({ name: CAPTIONS, ...(await captions.finish()) });
  if (source.classes !== undefined) {
    files.push({
      name: LABELS,
      ...(await writeDurably(join(folder, LABELS), [bytesOf(labels.subarray(0, count))])),
    });
  }
  return { dtype, bounded, files };
}
