import { join } from 'node:path';
import { DurableFile } from '../../host/durable.ts';
import { dataError, formatShape } from '../../tensor/errors.ts';
import type { BadSamples } from '../../data/bad-samples.ts';
import { checkNames, writeClassNames } from '../class-names.ts';
import { loadSharp } from '../../pictures/sharp.ts';
import { type Captions, type ReadKey, type Source, nameOfSample } from '../../data/source.ts';
import { tarEnd, tarMember } from '../../formats/tar/write.ts';
import type { TarEntry } from '../../formats/tar/write.ts';
import type { PackedFile } from './manifest.ts';
import { toBytes } from '../../data/values.ts';
import { samplesOf } from './samples.ts';
import type { PackedSample } from './samples.ts';

export interface ShardLimits {
  /** A shard is full with so many samples, or bytes. */
  readonly samples: number;
  readonly bytes: number;
}

/**
 * Writes 000000.tar and so on, each sample a PNG of its values, its class as cls, its caption as txt, several
 * as json; and classes.json.
 * @throws RectiflowError naming a sample that no PNG can hold exactly
 */
export async function writeShards(
  source: Source,
  folder: string,
  limits: ShardLimits,
  key: ReadKey,
  bad: BadSamples,
  onSample: (done: number) => void,
): Promise<PackedFile[]> {
  const [channels, ...sides] = source.shape;
  if ((channels !== 1 && channels !== 3) || sides.length !== 2 || source.record !== undefined) {
    const problem = `samples ${formatShape(source.shape)} are no images of one or three channels`;
    throw dataError(source.name, problem, 'Pack them into an array');
  }
  // Now, and not when all is packed.
  checkNames(
    source.classNames ?? [],
    source.name,
    'Give each class a name of its own, or pack the samples into an array',
  );
  const files: PackedFile[] = [];
  let shard: DurableFile | undefined;
  let count = 0;
  let bytes = 0;
  const finish = async (): Promise<void> => {
    await shard!.write(tarEnd());
    files.push({ name: shardName(files.length), count, ...(await shard!.finish()) });
    shard = undefined;
    [count, bytes] = [0, 0];
  };
  try {
    for await (const sample of samplesOf(source, key, bad)) {
      shard ??= await DurableFile.create(join(folder, shardName(files.length)));
      for (const member of await members(sample, source)) {
        for (const chunk of tarMember(member)) {
          await shard.write(chunk);
          bytes += chunk.length;
        }
      }
      count++;
      onSample(sample.index + 1);
      if (count >= limits.samples || bytes >= limits.bytes) await finish();
    }
    if (shard !== undefined) await finish();
    if (source.classNames !== undefined) files.push(await writeClassNames(folder, source.classNames));
    return files;
  } catch (error) {
    await shard?.abandon();
    throw error;
  }
}

function shardName(index: number): string {
  return `${String(index).padStart(6, '0')}.tar`;
}

async function members(sample: PackedSample, source: Source): Promise<TarEntry[]> {
  const { index, label, captions } = sample;
  const key = String(index).padStart(String(source.count - 1).length, '0');
  return [
    { name: `${key}.png`, content: await encodePng(sample, source) },
    ...(label === undefined ? [] : [{ name: `${key}.cls`, content: Buffer.from(String(label)) }]),
    ...(captions === undefined ? [] : [captionMember(key, captions)]),
  ];
}

function captionMember(key: string, captions: Captions): TarEntry {
  return typeof captions === 'string'
    ? { name: `${key}.txt`, content: Buffer.from(captions) }
    : { name: `${key}.json`, content: Buffer.from(`${JSON.stringify({ captions })}\n`) };
}

async function encodePng({ values, place }: PackedSample, source: Source): Promise<Uint8Array> {
  const planes = toBytes(values);
  if (planes === undefined) {
    const problem = 'holds values that no byte of a PNG stands for';
    throw dataError(nameOfSample(source, place), problem, 'Pack the samples into an array');
  }
  const [channels, height, width] = source.shape as [1 | 3, number, number];
  const sharp = await loadSharp();
  const image = sharp(interleave(planes, channels), {
    raw: { width, height, channels },
    limitInputPixels: false,
  });
  return (channels === 1 ? image.toColourspace('b-w') : image).png().toBuffer();
}

/** [C, H, W] to [H, W, C]. */
function interleave(planes: Uint8Array, channels: number): Uint8Array {
  const pixels = new Uint8Array(planes.length);
  const size = planes.length / channels;
  for (let i = 0; i < planes.length; i++) pixels[(i % size) * channels + Math.floor(i / size)] = planes[i]!;
  return pixels;
}
