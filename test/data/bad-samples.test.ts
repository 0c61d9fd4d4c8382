import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BadSamplePolicy } from '../../src/data/bad-samples.ts';
import { captionsOf } from '../../src/data/captions.ts';
import { checkSamples } from '../../src/check/check.ts';
import { Loader } from '../../src/data/loader.ts';
import { packSource } from '../../src/sources/pack.ts';
import { SampleReader } from '../../src/data/sample-reader.ts';
import type { DataConfig } from '../../src/sources/settings.ts';
import type { Source } from '../../src/data/source.ts';
import { encodeTar } from '../../src/formats/tar/write.ts';
import { openSource } from '../../src/api/open-source.ts';
import { npy } from '../support/npy.ts';

const count = 30;
const bad = 7;
let root: string;
let pixel: Buffer;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'bad-samples-'));
  pixel = await sharp({ create: { width: 2, height: 2, channels: 3, background: '#808080' } })
    .png()
    .toBuffer();
});
afterAll(() => rm(root, { recursive: true }));

const indices = Array.from({ length: count }, (_, index) => index);
const images = {
  channels: 3,
  background: '#ffffff',
  transforms: [{ kind: 'center-crop', size: 2 }],
  maxPixels: 1e6,
} as const;

/** A folder of images with these files beside each. */
async function folderWith(beside: (index: number) => Record<string, string | Buffer>): Promise<DataConfig> {
  const path = await mkdtemp(join(root, 'folder-'));
  for (const index of indices) {
    const files = { [`${index}.png`]: pixel, ...beside(index) };
    for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  }
  return { source: 'folder', path, condition: 'auto', ...images };
}

async function shardsWith(
  members: (index: number) => Record<string, string>,
  classNames: readonly string[] = [],
): Promise<DataConfig> {
  const folder = await mkdtemp(join(root, 'shards-'));
  const entries = indices.flatMap((index) =>
    Object.entries({ png: pixel, ...members(index) }).map(([ending, content]) => ({
      name: `${String(index).padStart(2, '0')}.${ending}`,
      content: Buffer.from(content),
    })),
  );
  await writeFile(join(folder, 'a.tar'), encodeTar(entries));
  if (classNames.length > 0) await writeFile(join(folder, 'classes.json'), JSON.stringify(classNames));
  return { source: 'shards', path: join(folder, 'a.tar'), condition: 'auto', ...images };
}

async function arrayWith(labels: Int32Array, classNames?: readonly string[]): Promise<DataConfig> {
  const folder = await mkdtemp(join(root, 'array-'));
  const path = join(folder, 'images.npy');
  await writeFile(path, npy('|u1', [count, 2, 2], new Uint8Array(4 * count)));
  await writeFile(join(folder, 'labels.npy'), npy('<i4', [count], labels));
  return {
    source: 'array',
    path,
    labels: join(folder, 'labels.npy'),
    tensor: 'samples',
    latents: false,
    scale: 1,
    shift: 0,
    ...(classNames && { classNames }),
  };
}

const labelled = (label: number): Int32Array => Int32Array.from(indices, (i) => (i === bad ? label : i % 2));

const sets: [string, () => Promise<DataConfig>, RegExp][] = [
  [
    'a caption that is no UTF-8',
    () => folderWith((i) => ({ [`${i}.txt`]: i === bad ? Buffer.of(0xe9, 0x20) : 'a cat' })),
    /7\.txt: is no text in UTF-8/,
  ],
  [
    'an empty caption',
    () => folderWith((i) => ({ [`${i}.txt`]: i === bad ? ' ' : 'a cat' })),
    /7\.txt: holds no caption/,
  ],
  [
    'no caption',
    () => folderWith((i): Record<string, string> => (i === bad ? {} : { [`${i}.txt`]: 'a cat' })),
    /7\.png(: has no caption|$)|1 of 30 images have no caption: .*7\.png/,
  ],
  [
    'no row in metadata',
    async () => {
      const data = await folderWith(() => ({}));
      const rows = indices.flatMap((i) =>
        i === bad ? [] : [`{"file_name": "${i}.png", "label": ${i % 2}}`],
      );
      await writeFile(join((data as { path: string }).path, 'metadata.jsonl'), rows.join('\n'));
      return data;
    },
    /7\.png(: has no label)?/,
  ],
  [
    'a class outside of the names',
    () => shardsWith((i) => ({ cls: i === bad ? '9' : String(i % 2) }), ['cat', 'dog']),
    /a\.tar: 07:? has label 9/,
  ],
  [
    'a class that is no number',
    () => shardsWith((i) => ({ cls: i === bad ? 'cat' : String(i % 2) })),
    /07\.cls: is no class: "cat"/,
  ],
  [
    'no class',
    () => shardsWith((i): Record<string, string> => (i === bad ? {} : { cls: String(i % 2) })),
    /a\.tar: 07(: has no label)?/,
  ],
  ['a negative label in an array', () => arrayWith(labelled(-1)), /sample 7:? has label -1/],
  ['a label beyond the names', () => arrayWith(labelled(2), ['a', 'b']), /sample 7:? has label 2/],
];

const sources: Source[] = [];
afterEach(async () => {
  for (const source of sources.splice(0)) await source.close?.();
});

async function opened(
  make: () => Promise<DataConfig> | DataConfig,
  policy: BadSamplePolicy,
): Promise<Source> {
  const source = await openSource(await make(), policy);
  sources.push(source);
  return source;
}

describe.each(sets)('%s of one sample in thirty', (_, make, problem) => {
  test('is an error by default', async () => {
    const read = async (): Promise<void> => {
      const loader = new Loader(await opened(make, 'fail'), { batchSize: count, seed: 0 });
      await loader.next();
    };
    await expect(read()).rejects.toThrow(problem);
  });

  test('is skipped where the run says so, in training', async () => {
    const source = await opened(make, 'skip');
    const told: string[] = [];
    const loader = new Loader(source, {
      batchSize: count,
      seed: 0,
      onBadSample: 'skip',
      onBad: ({ message }) => told.push(message),
    });
    const { annotations } = await loader.next();
    loader.close();
    expect(annotations).toHaveLength(count);
    expect(told).toEqual([expect.stringMatching(problem)]);
    expect(loader.skippedSummary).toMatch(/^1 of 30 samples \(3 %\) was left out: .*7/);
  });

  test('is named by a check of all samples', async () => {
    const { unreadable, count: all } = await checkSamples(await opened(make, 'skip'));
    expect(all).toBe(count);
    expect(unreadable.problems).toEqual([expect.stringMatching(problem)]);
  });

  test.each(['shards', 'array'] as const)('is left out of what is packed as %s', async (form) => {
    const target = join(await mkdtemp(join(root, 'made-')), 'pack');
    const told: string[] = [];
    const manifest = await packSource(await opened(make, 'skip'), target, {
      form,
      onBadSample: 'skip',
      onNotice: (text) => told.push(text),
    });
    expect(manifest.count).toBe(count - 1);
    expect(told).toEqual([expect.stringMatching(/^1 of 30 samples \(3 %\) was left out: /)]);
    const reading: DataConfig =
      form === 'shards'
        ? { source: 'shards', path: join(target, '*.tar'), condition: 'auto', ...images, channels: 1 }
        : { source: 'array', path: target, tensor: 'samples', latents: false, scale: 1, shift: 0 };
    const packed = await opened(() => reading, 'fail');
    expect(packed.count).toBe(count - 1);
  });
});

describe('too many bad samples', () => {
  test('are refused when the set is opened, where that is known by then', async () => {
    const make = (): Promise<DataConfig> =>
      shardsWith((i): Record<string, string> => (i < 3 ? {} : { cls: '0' }));
    await expect(opened(make, 'skip')).rejects.toThrow('3 of 30 images have no label');
  });

  test('end packing, and nothing is left behind', async () => {
    const path = await mkdtemp(join(root, 'folder-'));
    for (const index of indices) await writeFile(join(path, `${index}.png`), index < 3 ? 'none' : pixel);
    const source = await openSource({ source: 'folder', path, condition: 'none', ...images });
    const folder = join(root, 'packs');
    await mkdir(folder);
    const packing = packSource(source, join(folder, 'pack'), { form: 'array', onBadSample: 'skip' });
    await expect(packing).rejects.toThrow('2 of its 30 samples cannot be used');
    expect(await readdir(folder)).toEqual([]);
  });
});

test('a bad caption is skipped where captions are read alone, and the next stands in', async () => {
  const source = await opened(sets[0]![1], 'skip');
  const read = async (onBadSample: BadSamplePolicy): Promise<string[]> => {
    const captions: string[] = [];
    for await (const caption of captionsOf(source, new SampleReader(source, { onBadSample })))
      captions.push(caption);
    return captions;
  };
  expect(await read('skip')).toHaveLength(count);
  await expect(read('fail')).rejects.toThrow(/is no text in UTF-8.*loader\.onBadSample=skip$/);
});

test('a caption beyond all bounds makes a sample bad, in a file or in memory', async () => {
  const caption = 'a'.repeat(300_000);
  const settings = await folderWith((index) => ({ [`${index}.txt`]: index === bad ? caption : 'red' }));
  const source = await openSource(settings);
  const told: string[] = [];
  const reader = new SampleReader(source, {
    onBadSample: 'skip',
    onBad: ({ message }) => told.push(message),
  });
  const captions: string[] = [];
  for await (const each of captionsOf(source, reader)) captions.push(each);
  expect(captions).toEqual(indices.map(() => 'red'));
  expect(told).toEqual([expect.stringContaining('7.txt: has 300000 bytes, more than the 262144 that such')]);
  const one: Source = {
    name: 'one',
    count: 1,
    shape: [1, 1, 1],
    captions: true,
    read: () => ({ caption }),
    caption: () => caption,
  };
  const problem = 'sample 0 of one: has a caption of 300000 characters, wanted at most 262144';
  const key = { seed: 0, epoch: 0 };
  expect(() => new SampleReader(one).read(0, new Float32Array(1), 0, key)).toThrow(problem);
  expect(() => new SampleReader(one).caption(0)).toThrow(problem);
});

test.each(['text', 'label'])('JSON without end in the place of a %s is a sentence', async (column) => {
  const folder = await mkdtemp(join(root, 'deep-'));
  await writeFile(join(folder, 'a.png'), pixel);
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  await writeFile(join(folder, 'metadata.jsonl'), `{"file_name": "a.png", "${column}": ${deep}}\n`);
  const opening = openSource({ source: 'folder', path: folder, condition: 'auto', ...images });
  await expect(opening).rejects.toThrow(`${column} is something that is nested too deep to be shown`);
});
