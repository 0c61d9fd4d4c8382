// Samples that have several captions: all are packed, and drawn from as before.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openArray } from '../../src/sources/array-source.ts';
import { checkSamples } from '../../src/check/check.ts';
import { openFolder } from '../../src/sources/images/folder.ts';
import { packSource } from '../../src/sources/pack.ts';
import { openShards } from '../../src/sources/shards.ts';
import type { Source } from '../../src/data/source.ts';
import { plain, settingsOf } from './images/pictures.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'several-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function drawn(source: Source): Promise<(string | undefined)[]> {
  const captions: (string | undefined)[] = [];
  for (let epoch = 0; epoch < 9; epoch++) {
    for (let index = 0; index < source.count; index++) {
      const key = { seed: 3, epoch };
      captions.push((await source.read(index, new Float32Array(3 * 4 * 4), 0, key)).caption);
    }
  }
  await source.close?.();
  return captions;
}

test('a check looks at all captions of a sample, and a pack holds them', async () => {
  const rows = [
    { file_name: 'a.png', captions: ['one', 'two', 'three'] },
    { file_name: 'b.png', text: 'only' },
  ];
  for (const name of ['a.png', 'b.png']) await plain('#336699', 4, 4).png().toFile(join(folder, name));
  await writeFile(join(folder, 'metadata.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
  const condition = 'auto' as const;
  const open = (): Promise<Source> =>
    openFolder({ source: 'folder', path: folder, condition, ...settingsOf(4) });
  const wanted = await drawn(await open());
  expect(new Set(wanted)).toEqual(new Set(['one', 'two', 'three', 'only']));

  const { captions } = await checkSamples(await open());
  expect(captions).toMatchObject({ count: 4, different: 4, longest: [{ caption: 'three' }, {}, {}, {}] });

  await packSource(await open(), join(folder, 'array'), { form: 'array' });
  const array = { source: 'array', path: join(folder, 'array'), tensor: '', latents: false } as const;
  expect(await drawn(await openArray({ ...array, scale: 1, shift: 0 }))).toEqual(wanted);

  await packSource(await open(), join(folder, 'shards'), { form: 'shards' });
  const path = join(folder, 'shards/*.tar');
  const shards = await openShards({ source: 'shards', path, condition, ...settingsOf(4) });
  expect(await drawn(shards)).toEqual(wanted);
});
