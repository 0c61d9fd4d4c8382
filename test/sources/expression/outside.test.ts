import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hdf5File } from '../../../src/sources/expression/hdf5.ts';
import type { Source } from '../../../src/data/source.ts';
import { openCells } from '../../support/cells.ts';
import { writeTiny } from '../../support/h5ad.ts';

const fixtures = join(import.meta.dirname, 'fixtures');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outside-'));
  // What the files refer to, in reach.
  await writeFile(join(folder, 'secret.bin'), 'secret');
  await writeTiny(join(folder, 'other.h5'), { X: [[1, 2]], cells: 1, genes: ['g0', 'g1'] });
});
afterAll(() => rm(folder, { recursive: true }));

async function openFixture(name: string): Promise<Source> {
  const path = join(folder, name);
  await copyFile(join(fixtures, name), path);
  return openCells(path);
}

describe('nothing outside of the file is read', () => {
  test.each([
    [
      'external storage',
      'external-storage.h5ad',
      /X cannot be read: it is kept in another file \(.*secret\.bin\)/,
    ],
    ['a virtual dataset', 'virtual.h5ad', /X cannot be read: it is kept in another file \(other\.h5\)/],
    [
      'a virtual dataset of the file itself',
      'virtual-itself.h5ad',
      /X cannot be read: it is put together from/,
    ],
  ])('by %s', async (_, name, message) => {
    await expect(openFixture(name)).rejects.toThrow(message);
  });

  test.each([
    ['an external link', 'X', /X cannot be opened: it is kept in another file \(.*other\.h5\)/],
    ['a link within a table', 'obs/kind', /obs\/kind cannot be opened: it is kept in another file/],
    ['a soft link through an external one', 'soft', /soft cannot be opened: it is kept in another file/],
    ['a soft link to nothing', 'broken', /broken is a link to \/nowhere, which is not there/],
  ])('by %s', async (_, place, message) => {
    const { File } = await import('h5wasm/node');
    const path = join(folder, 'links.h5ad');
    const made = new File(path, 'w');
    made.create_external_link(join(folder, 'other.h5'), 'X', 'X');
    made.create_group('obs').create_external_link('other.h5', 'X', 'kind');
    made.create_soft_link('/obs/kind', 'soft');
    made.create_soft_link('/nowhere', 'broken');
    made.close();
    const file = await Hdf5File.open(path);
    expect(() => file.find(place)).toThrow(message);
    file.close();
  });

  test('and links within the file are followed, also those in a circle', async () => {
    const { File } = await import('h5wasm/node');
    const path = join(folder, 'within.h5ad');
    const made = new File(path, 'w');
    made.create_group('a').create_dataset({ name: 'values', data: Int32Array.of(1, 2) });
    made.create_soft_link('/a/values', 'soft');
    made.create_hard_link('/a', 'a/itself');
    made.create_soft_link('/one', 'two');
    made.create_soft_link('/two', 'one');
    made.close();
    const file = await Hdf5File.open(path);
    for (const place of ['soft', 'a/itself/itself/values']) {
      expect([...file.numbers(file.find(place) as never, 0, 2)]).toEqual([1, 2]);
    }
    expect(() => file.find('one')).toThrow(/one cannot be opened: too many links/);
    file.close();
  });

  test('while what else uses the library goes on as before', async () => {
    const { File } = await import('h5wasm/node');
    const ours = await Hdf5File.open(join(folder, 'other.h5'));
    const theirs = new File(join(folder, 'other.h5'), 'r');
    expect(theirs.keys()).toContain('X');
    theirs.close();
    ours.close();
  });
});
