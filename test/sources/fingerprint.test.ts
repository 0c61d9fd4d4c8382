import { cp, mkdir, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { arraySource } from '../../src/sources/arrays.ts';
import { openArray } from '../../src/sources/array-source.ts';
import { Fingerprint } from '../../src/sources/fingerprint.ts';
import { openFolder } from '../../src/sources/images/folder.ts';
import { selectSamples } from '../../src/data/source-view.ts';
import { temporaryFolder } from '../support/cli.ts';
import { writeTiny } from '../support/h5ad.ts';
import { openExpression } from '../../src/sources/expression/source.ts';

const settings = {
  channels: 3,
  background: '#000000',
  transforms: [{ kind: 'resize', size: [4, 4] }],
  maxPixels: 1e6,
} as const;

/** No image is decoded: what is hashed is what can be had without. */
async function photos(): Promise<string> {
  const path = join(await temporaryFolder(), 'photos');
  for (const [folder, name] of ['cat/a', 'cat/b', 'dog/c'].map(
    (image) => image.split('/') as [string, string],
  )) {
    await mkdir(join(path, folder), { recursive: true });
    await writeFile(join(path, folder, `${name}.png`), `an image called ${name}`);
  }
  return path;
}

async function ofFolder(path: string): Promise<string> {
  return (await openFolder({ source: 'folder', path, condition: 'auto', ...settings })).fingerprint!();
}

describe('the fingerprint of a folder', () => {
  it('is the same in another place and at another time', async () => {
    const path = await photos();
    const copy = join(await temporaryFolder(), 'elsewhere');
    await cp(path, copy, { recursive: true });
    await utimes(join(copy, 'cat', 'a.png'), 1, 1);
    expect(await ofFolder(copy)).toBe(await ofFolder(path));
  });

  it.each<[what: string, change: (path: string) => Promise<void>]>([
    ['is renamed', (path) => rename(join(path, 'cat', 'a.png'), join(path, 'cat', 'z.png'))],
    ['is of another class', (path) => rename(join(path, 'cat', 'a.png'), join(path, 'dog', 'a.png'))],
    ['is replaced', (path) => writeFile(join(path, 'cat', 'a.png'), 'another image')],
    ['is replaced by one of its size', (path) => writeFile(join(path, 'cat', 'a.png'), 'an image called A')],
    ['is added', (path) => writeFile(join(path, 'cat', 'd.png'), 'one more')],
    ['gets a caption', (path) => writeFile(join(path, 'cat', 'a.txt'), 'a cat')],
  ])('is another where an image %s', async (what, change) => {
    const path = await photos();
    if (what === 'gets a caption')
      for (const image of ['cat/a', 'cat/b', 'dog/c']) await writeFile(join(path, `${image}.txt`), 'a photo');
    const before = await ofFolder(path);
    await change(path);
    expect(await ofFolder(path)).not.toBe(before);
  });
});

describe('the fingerprint of an array', () => {
  const images = new Uint8Array(12).map((_, i) => i);
  const array = (members: Partial<Parameters<typeof arraySource>[0]>) =>
    arraySource({ images, shape: [1, 2, 2], labels: [0, 1, 0], classNames: ['a', 'b'], ...members })
      .fingerprint!();

  it('is of values and of labels by name', () => {
    expect(array({})).toBe(array({ name: 'other' }));
    expect(array({ labels: [1, 0, 1], classNames: ['b', 'a'] })).toBe(array({}));
    expect(array({ labels: [0, 0, 0] })).not.toBe(array({}));
    expect(array({ images: images.with(7, 99) })).not.toBe(array({}));
  });

  it('is of the file, where it is one', async () => {
    const path = join(await temporaryFolder(), 'a.npy');
    const header = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 2), }".padEnd(117) + '\n';
    const start = Buffer.concat([
      Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
      Buffer.from([118, 0]),
      Buffer.from(header),
    ]);
    const data = { source: 'array', path, tensor: 'a', latents: false, scale: 1, shift: 0 } as const;
    const found: string[] = [];
    for (const last of [1, 1, 2]) {
      await writeFile(path, Buffer.concat([start, Buffer.from(images.with(11, last))]));
      const source = await openArray(data);
      found.push(await source.fingerprint!());
      await source.close!();
    }
    expect(found[1]).toBe(found[0]);
    expect(found[2]).not.toBe(found[0]);
  });
});

it('of cells is of their names, classes and totals', async () => {
  const path = join(await temporaryFolder(), 'cells.h5ad');
  const X = [
    [1, 0],
    [2, 3],
    [0, 1],
  ];
  const data = {
    source: 'expression',
    path,
    layer: 'X',
    label: 'kind',
    normalize: 'auto',
    target: 100,
    variableGenes: 0,
    scaleGenes: true,
    holdOut: 0,
    split: 'train',
  } as const;
  const found = async (rows: number[][], codes: number[], categories: string[]): Promise<string> => {
    await writeTiny(path, { X: rows, cells: 3, genes: ['A', 'B'], obs: { kind: { codes, categories } } });
    const source = await openExpression(data);
    try {
      return await source.fingerprint!();
    } finally {
      await source.close!();
    }
  };
  const whole = await found(X, [0, 1, 0], ['T', 'B']);
  expect(await found(X, [1, 0, 1], ['B', 'T'])).toBe(whole);
  expect(await found(X, [0, 1, 1], ['T', 'B'])).not.toBe(whole);
  expect(
    await found(
      [
        [1, 0],
        [2, 3],
        [0, 2],
      ],
      [0, 1, 0],
      ['T', 'B'],
    ),
  ).not.toBe(whole);
});

it('of a part is none', () => {
  const source = arraySource({ images: new Uint8Array(8), shape: [1, 2, 2] });
  expect(selectSamples(source, 1, () => 1)).not.toHaveProperty('fingerprint');
});

it('tells texts apart by where they end', () => {
  const of = (...texts: string[]): string => new Fingerprint().texts(texts).end();
  expect(of('a', 'b')).not.toBe(of('ab'));
});
