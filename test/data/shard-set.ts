// Small sets of shards.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { ShardsData } from '../../src/data/settings.ts';
import { openShards } from '../../src/data/shards.ts';
import type { Source } from '../../src/data/source.ts';
import { encodeTar } from '../../src/data/tar/write.ts';

/** One pixel of this brightness. */
export async function pixel(brightness: number, format: 'png' | 'webp' = 'png'): Promise<Buffer> {
  const raw = { width: 1, height: 1, channels: 1 } as const;
  const image = sharp(Buffer.of(brightness), { raw }).toColourspace('b-w');
  return (format === 'png' ? image.png() : image.webp({ lossless: true })).toBuffer();
}

/** Writes a shard of these members. */
export async function writeShard(
  folder: string,
  name: string,
  members: Record<string, string | Buffer>,
): Promise<void> {
  const entries = Object.entries(members).map(([member, content]) => ({
    name: member,
    content: Buffer.from(content),
  }));
  await writeFile(join(folder, name), encodeTar(entries));
}

/** All shards of a folder, whose images are of one pixel. */
export async function openShardsIn(folder: string, change: Partial<ShardsData> = {}): Promise<Source> {
  return openShards({
    source: 'shards',
    path: join(folder, '*.tar'),
    condition: 'auto',
    channels: 1,
    background: '#ffffff',
    transforms: [{ kind: 'center-crop', size: 1 }],
    maxPixels: 1e6,
    ...change,
  });
}

/** Brightness and annotation of each sample. */
export async function readAll(source: Source): Promise<unknown[]> {
  const out = new Float32Array(1);
  const samples: unknown[] = [];
  for (let index = 0; index < source.count; index++) {
    const annotation = await source.read(index, out, 0, { seed: 0, epoch: 0 });
    samples.push([Math.round((out[0]! + 1) * 127.5), annotation]);
  }
  await source.close?.();
  return samples;
}
