// Small sets of shards.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { ShardsData } from '../../src/sources/settings.ts';
import { openShards } from '../../src/sources/shards.ts';
import type { Source } from '../../src/data/source.ts';
import { encodeTar } from '../../src/formats/tar/write.ts';

/** One pixel of this brightness. */
export async function pixel(brightness: number, format: 'png' | 'webp' = 'png'): Promise<Buffer> {
  const raw = { width: 1, height: 1, channels: 1 } as const;
  const image = sharp(Buffer.of(brightness), { raw }).toColourspace('b-w');
  return (format === 'png' ? image.png() : image.webp({ lossless: true })).toBuffer();
}

/** A folder of shards, which is empty before each test. */
export interface ShardFolder {
  /** The path of a file in it. */
  readonly inFolder: (...names: readonly string[]) => string;
  /** Writes a shard of these members. */
  readonly shard: (name: string, members: Record<string, string | Buffer>) => Promise<void>;
  /** All shards, whose images are of one pixel. */
  readonly open: (change?: Partial<ShardsData>) => Promise<Source>;
}

/** For all tests of a file. */
export function useShardFolder(): ShardFolder {
  let root: string;
  let folder: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'shards-'));
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(root, 'set-'));
  });
  afterAll(() => rm(root, { recursive: true }));
  return {
    inFolder: (...names) => join(folder, ...names),
    shard: async (name, members) => {
      const entries = Object.entries(members).map(([member, content]) => ({
        name: member,
        content: Buffer.from(content),
      }));
      await writeFile(join(folder, name), encodeTar(entries));
    },
    open: (change) =>
      openShards({
        source: 'shards',
        path: join(folder, '*.tar'),
        condition: 'auto',
        channels: 1,
        background: '#ffffff',
        transforms: [{ kind: 'center-crop', size: 1 }],
        maxPixels: 1e6,
        ...change,
      }),
  };
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
