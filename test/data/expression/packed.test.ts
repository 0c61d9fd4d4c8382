import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dataset, Hdf5File } from '../../../src/data/expression/hdf5.ts';
import { Table } from '../../../src/data/expression/table.ts';

// 512 bytes of something else, then HDF5 with the same values in several forms.
const fixture = join(import.meta.dirname, 'fixtures/packed.h5ad');
const VALUES = [1, 0, 3, 4, 0, 6, 700, 8];

let file: Hdf5File;
beforeAll(async () => {
  file = await Hdf5File.open(fixture);
});
afterAll(() => file.close());

function layer(name: string): Dataset {
  return file.find(`layers/${name}`) as Dataset;
}

describe('values of a file that begins with a user block', () => {
  test.each([
    ['LZF', 'lzf'],
    ['Zstandard', 'plain'],
    ['Zstandard, shuffled', 'zstd'],
    ['float16', 'half'],
  ])('are read from %s, in any rows', (_, name) => {
    expect([...file.numbers(layer(name), 0, 4)]).toEqual(VALUES);
    expect([...file.numbers(layer(name), 2, 4)]).toEqual(VALUES.slice(4));
  });

  test('are refused where a chunk holds fewer than it should', () => {
    expect(() => file.numbers(layer('short'), 0, 4)).toThrow(
      /layers\/short cannot be read: a chunk is damaged/,
    );
  });
});

describe('methods of compression that are not read', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'packed-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.each([
    [32001, 'Blosc, HDF5 filter 32001'],
    [32008, 'bitshuffle, HDF5 filter 32008'],
    [40000, 'HDF5 filter 40000'],
  ])('are named: %i', async (id, name) => {
    const path = join(folder, `${id}.h5ad`);
    const bytes = await readFile(fixture);
    // The number of the filter, in the header of each dataset that has it.
    for (let at = 0; at + 2 <= bytes.length; at += 8) {
      if (bytes.readUInt16LE(at) === 32015) bytes.writeUInt16LE(id, at);
    }
    await writeFile(path, bytes);
    const other = await Hdf5File.open(path);
    const dataset = other.find('layers/plain') as Dataset;
    expect(() => other.numbers(dataset, 0, 4)).toThrow(
      `layers/plain is compressed with a method that cannot be read (${name}). Write the file again`,
    );
    other.close();
  });
});

test.each(['flag', 'perhaps'])('booleans are classes called as in Python: %s', (column) => {
  const { names, codes, areBooleans } = new Table(file, 'obs').categories(column);
  expect({ names, areBooleans }).toEqual({ names: ['False', 'True'], areBooleans: true });
  expect([...codes]).toEqual(column === 'flag' ? [1, 0, 1, 0] : [1, 0, 1, -1]);
});
