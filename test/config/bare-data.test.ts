import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bareData, describeBareData } from '../../src/config/bare-data.ts';
import { loadConfig } from '../../src/config/load-config.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bare-data-'));
  const files =
    'photos/a.png photos/old.tar shards/0.tar shards/classes.json packed/pack.json encoded/latents.json encoded/000000.safetensors begun/encoding.json rows/0.parquet run/config.json ' +
    'run/checkpoints/x set/config.json set/a.png classes/checkpoints/a.png cells.h5ad images.npy x.safetensors 0.parquet 0.tar images-idx3-ubyte mine.yaml notes.txt photo.PNG';
  for (const file of files.split(' ')) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), '');
  }
});
afterAll(() => rm(root, { recursive: true }));

test.each([
  ['photos', '{ source: folder, path: photos, size: 64 }'],
  ['photos/', '{ source: folder, path: photos, size: 64 }'],
  ['shards', '{ source: shards, path: "shards/*.tar", size: 64 }'],
  ['packed', '{ source: array, path: packed }'],
  ['encoded', '{ source: latents, path: encoded }'],
  ['begun', '{ source: latents, path: begun }'],
  ['rows', '{ source: parquet, path: "rows/*.parquet", size: 64 }'],
  ['set', '{ source: folder, path: set, size: 64 }'],
  ['classes', '{ source: folder, path: classes, size: 64 }'],
  ['cells.h5ad', '{ source: expression, path: cells.h5ad }'],
  ['images.npy', '{ source: array, path: images.npy }'],
  ['x.safetensors', '{ source: array, path: x.safetensors }'],
  ['0.parquet', '{ source: parquet, path: 0.parquet, size: 64 }'],
  ['0.tar', '{ source: shards, path: 0.tar, size: 64 }'],
  ['images-idx3-ubyte', '{ source: idx, images: images-idx3-ubyte }'],
])('%s is %s', async (name, wanted) => {
  const data = await bareData(join(root, name));
  expect(describeBareData(data!).replaceAll(`${root}/`, '')).toBe(`data: ${wanted}`);
});

test.each(['run', 'mine.yaml', 'notes.txt', 'nowhere'])('%s is not taken for data', async (name) => {
  expect(await bareData(join(root, name))).toBeUndefined();
});

test('where a config is wanted, data are refused with the config to write', async () => {
  const photos = join(root, 'photos');
  await expect(loadConfig(photos)).rejects.toThrow(
    `${photos}: holds data, and is no config. See what is in it with rectiflow data check ${photos}. ` +
      `To train, write a config file with two lines, data: { source: folder, path: ${photos}, size: 64 } ` +
      'and model: { preset: DiT-Ti/4 }, and give that.',
  );
  const said: string[] = [];
  const { config } = await loadConfig(photos, ['data.size=8'], (text) => said.push(text));
  expect(config).toMatchObject({ data: { source: 'folder', path: photos, size: 8 } });
  expect(said).toHaveLength(1);
  await expect(loadConfig(join(root, 'photo.PNG'))).rejects.toThrow(
    `is a single image, and no config. Give its folder, ${root}.`,
  );
});
