// What is loaded: files made for the measurement, and how both sides are told to read them.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DataConfig, type ImageSettings, openSource, packSource } from 'rectiflow';
import { writePictures } from './pictures.ts';

export const setNames = ['photographs', 'thumbnails', 'shards', 'array', 'latents'] as const;
export type SetName = (typeof setNames)[number];

export interface LoaderSet {
  readonly title: string;
  readonly data: DataConfig;
  /** What bench/peer/loader.py is told: a folder and a size, or an array's folder and shape. It reads no shards. */
  readonly peer?: { readonly path: string; readonly size?: number; readonly shape?: readonly number[] };
}

const flip = { kind: 'horizontal-flip', probability: 0.5 } as const;

function settings(transforms: ImageSettings['transforms']): ImageSettings & { readonly condition: 'class' } {
  return { condition: 'class', channels: 3, background: '#ffffff', maxPixels: 1e8, transforms };
}

function cropped(path: string, size: number, ...more: ImageSettings['transforms']): DataConfig {
  const transforms = [{ kind: 'resize', size }, { kind: 'center-crop', size }, ...more] as const;
  return { source: 'folder', path, ...settings(transforms) };
}

/** Makes all sets in a folder. */
export async function makeSets(folder: string, count: number): Promise<Record<SetName, LoaderSet>> {
  const [photographs, thumbnails] = [join(folder, 'photographs'), join(folder, 'thumbnails')];
  await writePictures(photographs, { count, width: 500, height: 375, format: 'jpeg' });
  await writePictures(thumbnails, { count, width: 64, height: 64, format: 'png' });
  const [shards, array] = [join(folder, 'shards'), join(folder, 'array')];
  const latents = join(folder, 'latents');
  await writeLatents(latents, count);
  const source = await openSource(cropped(photographs, 64));
  await packSource(source, shards, { form: 'shards' });
  await packSource(source, array, { form: 'array' });
  return {
    photographs: {
      title: 'a folder of JPEGs of 500x375, to 64x64',
      data: cropped(photographs, 64, flip),
      peer: { path: photographs, size: 64 },
    },
    thumbnails: {
      title: 'a folder of PNGs of 64x64, to 32x32',
      data: cropped(thumbnails, 32, flip),
      peer: { path: thumbnails, size: 32 },
    },
    shards: {
      title: 'the JPEGs packed into tar shards of PNGs of 64x64',
      data: {
        source: 'shards',
        path: join(shards, '*.tar'),
        ...settings([{ kind: 'center-crop', size: 64 }, flip]),
      },
    },
    array: {
      title: 'the JPEGs packed into an array of bytes, 64x64',
      data: { source: 'array', path: array, tensor: 'samples', latents: false, scale: 1, shift: 0 },
      peer: { path: array, shape: [3, 64, 64] },
    },
    latents: {
      title: 'latents [4, 64, 64] of images of 512x512, in the layout of EDM2, drawn anew in each epoch',
      data: {
        source: 'latents',
        path: latents,
        condition: 'class',
        draw: true,
        flip: 'auto',
        scaling: { scale: 0.18215, shift: 0 },
      },
    },
  };
}

/** Means and deviations of so many images, a .npy file each, with their labels. */
async function writeLatents(folder: string, count: number): Promise<void> {
  await mkdir(folder);
  const description = "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 64, 64), }";
  const start = Buffer.from(`\x93NUMPY\x01\x00\x76\x00${description.padEnd(117)}\n`, 'latin1');
  const labels: [string, number][] = [];
  for (let i = 0; i < count; i++) {
    const name = `img-mean-std-${String(i).padStart(8, '0')}.npy`;
    const values = Float32Array.from({ length: 8 * 64 * 64 }, (_, at) => Math.sin(at + i) + 1);
    await writeFile(join(folder, name), Buffer.concat([start, Buffer.from(values.buffer)]));
    labels.push([name, i % 10]);
  }
  await writeFile(join(folder, 'dataset.json'), JSON.stringify({ labels }));
}
