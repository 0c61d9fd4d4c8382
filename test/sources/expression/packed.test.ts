import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Dataset, Hdf5File } from '../../../src/sources/expression/hdf5.ts';
import { writeTiny } from '../../support/h5ad.ts';
import { Table } from '../../../src/sources/expression/table.ts';

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

test.each([
  ['latin-1', [0x43, 0x61, 0x66, 0xe9, 0x31, 0x32]],
  ['a cut character', [0x67, 0x65, 0x6e, 0x65, 0xe2, 0x82]],
])('text that is not UTF-8 is refused: %s', async (_, bytes) => {
  const folder = await mkdtemp(join(tmpdir(), 'text-'));
  const path = join(folder, 'text.h5ad');
  await writeTiny(path, { X: [[1]], cells: 1, genes: ['PLACED'] });
  const content = await readFile(path);
  Buffer.from(bytes).copy(content, content.indexOf('PLACED'));
  await writeFile(path, content);
  const broken = await Hdf5File.open(path);
  expect(() => new Table(broken, 'var').index(0, 1)).toThrow(
    /var\/names cannot be read: it holds text that is not UTF-8/,
  );
  broken.close();
  await rm(folder, { recursive: true });
});

test('a file that leads the library astray does no harm to others', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'astray-'));
  const path = join(folder, 'astray.h5ad');
  const content = await readFile(fixture);
  // All that is not zero behind the first kilobyte, which makes the file one of HDF5.
  const damage = (byte: number, at: number): number =>
    at > 1536 && byte !== 0 && at % 11 === 0 ? 255 : byte;
  await writeFile(path, content.map(damage));
  const broken = await Hdf5File.open(path);
  expect(() => broken.find('layers/plain')).toThrow(/layers\/plain cannot be opened/);
  broken.close();
  const other = await Hdf5File.open(fixture);
  expect([...other.numbers(other.find('X') as Dataset, 0, 4)]).toEqual(VALUES);
  other.close();
  await rm(folder, { recursive: true });
});
