// Pictures, and an encoder of them whose numbers a test can work out.
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Annotation, Source } from '../../../src/data/source.ts';
import { encodeSource } from '../../../src/sources/latents/encode.ts';
import type { EncodeSourceOptions } from '../../../src/sources/latents/encoder.ts';
import type { EncodingSettings, LatentsManifest } from '../../../src/sources/latents/manifest.ts';
import { openLatents } from '../../../src/sources/latents/open.ts';
import type { LatentsData } from '../../../src/sources/settings.ts';

export const count = 11;
/** [3, 2, 4] of a picture whose right half is another than its left. */
export const pixel = (place: number, i: number, mirrored: boolean): number => {
  const column = mirrored ? 3 - (i % 4) : i % 4;
  return Math.fround(place / 20 + Math.floor(i / 4) / 40 + column / 200 + (mirrored ? 1 / 64 : 0) - 0.5);
};

export function pictures(mirrored: boolean, change: Partial<Source> = {}): Source {
  return {
    name: 'pictures',
    count,
    shape: [3, 2, 4],
    classes: 3,
    classNames: ['a', 'b', 'c'],
    async read(index, out, offset) {
      // Later ones are sooner read.
      await new Promise((resolve) => setTimeout(resolve, (count - index) % 3));
      for (let i = 0; i < 24; i++) out[offset + i] = pixel(index, i, mirrored);
      return { label: index % 3 };
    },
    ...change,
  };
}

/** Latents [2, 1, 2]: means of a column pair, once plain and once doubled; the deviation is a tenth of it and 0.01. */
export function encodingOf(place: number, mirrored: boolean): { mean: number[]; deviation: number[] } {
  const pair = (at: number): number => {
    let sum = 0;
    for (let i = 0; i < 24; i++) if (Math.floor((i % 4) / 2) === at) sum += pixel(place, i, mirrored);
    return Math.fround(sum / 12);
  };
  const mean = [pair(0), pair(1), Math.fround(2 * pair(0)), Math.fround(2 * pair(1))];
  return { mean, deviation: mean.map((value) => Math.fround(Math.abs(value) / 10 + 0.01)) };
}

export const settings: EncodingSettings = {
  data: { source: 'folder', path: 'photos' },
  fingerprint: 'f',
  samples: count,
  pictures: [3, 2, 4],
  shape: [2, 1, 2],
  precision: 'float32',
  deviations: true,
  flip: 0.5,
  samplesPerShard: 4,
  onBadSample: 'fail',
  classes: 3,
  classNames: ['a', 'b', 'c'],
  captions: 'none',
  autoencoder: { kind: 'kl', fingerprint: 'e'.repeat(64), scaling: { scale: 2, shift: 0.5 } },
};

export function encoder(calls: number[] = []): EncodeSourceOptions['encoder'] {
  return {
    async encode(images, batch) {
      calls.push(batch);
      const parts = { mean: new Float32Array(batch * 4), deviation: new Float32Array(batch * 4) };
      for (let b = 0; b < batch; b++) {
        for (let at = 0; at < 2; at++) {
          let sum = 0;
          for (let i = 0; i < 24; i++) if (Math.floor((i % 4) / 2) === at) sum += images[b * 24 + i]!;
          parts.mean[b * 4 + at] = sum / 12;
          parts.mean[b * 4 + 2 + at] = Math.fround(2 * Math.fround(sum / 12));
        }
      }
      parts.mean.forEach((value, i) => (parts.deviation[i] = Math.abs(value) / 10 + 0.01));
      return parts;
    },
    async write(path) {
      await mkdir(path);
      await writeFile(join(path, 'config.json'), '{}');
    },
  };
}

export const encode = (
  path: string,
  change: Partial<EncodeSourceOptions> = {},
  changed: Partial<EncodingSettings> = {},
  source = pictures(false),
): Promise<LatentsManifest> =>
  encodeSource(source, path, {
    encoder: encoder(),
    settings: { ...settings, ...changed },
    mirrored: (changed.flip ?? settings.flip) > 0 ? pictures(true) : undefined,
    batchSize: 3,
    ...change,
  });

export const open = (path: string, change: Partial<LatentsData> = {}): Promise<Source> =>
  openLatents(
    { source: 'latents', path, condition: 'auto', draw: false, flip: 0, scaling: 'auto', ...change },
    'fail',
  );

export async function readAll(source: Source, epoch = 0): Promise<[number[], Annotation][]> {
  const samples: [number[], Annotation][] = [];
  for (let index = 0; index < source.count; index++) {
    const out = new Float32Array(4);
    const annotation = await source.read(index, out, 0, { seed: 1, epoch });
    samples.push([[...out], annotation]);
  }
  await source.close!();
  return samples;
}

/** All files with their digests. */
export async function contents(path: string): Promise<Record<string, string>> {
  const names = (await readdir(path, { recursive: true })).toSorted();
  const files: Record<string, string> = {};
  for (const name of names)
    if ((await stat(join(path, name))).isFile())
      files[name] = createHash('sha256')
        .update(await readFile(join(path, name)))
        .digest('hex');
  return files;
}

export const scaled = (values: readonly number[]): number[] =>
  values.map((value) => Math.fround((value - 0.5) * 2));
