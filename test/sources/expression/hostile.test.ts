import { readFile, writeFile } from 'node:fs/promises';
import type { Dataset, Group } from 'h5wasm/node';
import { describe, expect, test } from 'vitest';
import { openCells, temporaryFiles } from '../../support/cells.ts';
import { attribute, writeTiny } from '../../support/h5ad.ts';

const { path } = temporaryFiles();

/** A file of three cells and two genes. */
async function write(X: readonly (readonly number[])[] | undefined, obs = {}): Promise<string> {
  const file = path();
  await writeTiny(file, { X: X ?? [[1, 2]], cells: X?.length ?? 1, genes: ['g0', 'g1'], obs });
  return file;
}

describe('sizes that are stated but cannot be true are refused before memory is taken', () => {
  test('rows of which nothing is stored', async () => {
    const { File, ready } = await import('h5wasm/node');
    await ready;
    const file = path();
    const made = new File(file, 'w');
    for (const [name, rows] of [
      ['obs', 1e12],
      ['var', 2],
    ] as const) {
      const table = made.create_group(name);
      attribute(table, '_index', 'names');
      const data = Int32Array.from({ length: 2 });
      const names = table.create_dataset({ name: 'names', data, chunks: [1000], maxshape: [null] });
      (names as Dataset).resize([rows]);
    }
    const data = Float32Array.from({ length: 4 });
    const parts = { shape: [2, 2], chunks: [1000, 2], maxshape: [null, null] };
    (made.create_dataset({ name: 'X', data, ...parts }) as Dataset).resize([1e12, 2]);
    made.close();
    await expect(openCells(file)).rejects.toThrow(
      /X is damaged: it states a size of \[1000000000000, 2\], for which the file has too few bytes/,
    );
  });

  test('text that is there once and referred to many times', async () => {
    const length = 100_003;
    const cells = 200;
    const texts = Array.from({ length: cells }, (_, i) => (i === 0 ? 'x'.repeat(length) : 'y'));
    const file = await write(
      texts.map(() => [1, 2]),
      { kind: texts },
    );
    const content = await readFile(file);
    const stated = Buffer.alloc(4);
    stated.writeUInt32LE(length);
    const first = content.indexOf(stated);
    for (let i = 1; i < cells; i++) content.copyWithin(first + 16 * i, first, first + 16);
    await writeFile(file, content);
    await expect(openCells(file, { label: 'kind' })).rejects.toThrow(
      /obs\/kind is damaged: it refers to more text than the file holds/,
    );
  });

  test('an attribute of many values', async () => {
    const { File } = await import('h5wasm/node');
    const file = await write(undefined);
    const made = new File(file, 'a');
    const obs = made.get('obs') as Group;
    obs.delete_attribute('_index');
    obs.create_attribute(
      '_index',
      Array.from({ length: 2000 }, () => 'names'),
      [2000],
      'S',
    );
    made.close();
    await expect(openCells(file)).rejects.toThrow(
      /attribute _index of \/obs cannot be read: it has 2000 values/,
    );
  });
});

test('a sparse matrix whose places are no whole numbers is refused', async () => {
  const { File } = await import('h5wasm/node');
  const file = path();
  await writeTiny(file, { X: [[1, 2]], cells: 1, genes: ['g0', 'g1'] });
  const made = new File(file, 'a');
  const group = (made.get('layers') as Group).create_group('odd');
  attribute(group, 'encoding-type', 'csr_matrix');
  group.create_attribute('shape', BigInt64Array.of(1n, 2n));
  group.create_dataset({ name: 'data', data: Float32Array.of(1) });
  group.create_dataset({ name: 'indices', data: Float64Array.of(0.5) });
  group.create_dataset({ name: 'indptr', data: Int32Array.of(0, 1) });
  made.close();
  await expect(openCells(file, { layer: 'odd' })).rejects.toThrow(
    /must have indices and indptr of whole numbers/,
  );
});
