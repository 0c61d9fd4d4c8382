import { existsSync } from 'node:fs';
import { readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FilePool, withPool } from '../../src/data/file-pool.ts';
import { temporaryFolder } from '../support/cli.ts';

const DESCRIPTORS = '/proc/self/fd';
const canCount = existsSync(DESCRIPTORS);

/** Files of a folder that this process holds open; those that are being closed may take a moment. */
async function openFiles(folder: string): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  const descriptors = await readdir(DESCRIPTORS);
  const targets = await Promise.all(
    descriptors.map((name) => readlink(join(DESCRIPTORS, name)).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(folder)).length;
}

async function folderOf(files: number): Promise<{ folder: string; paths: string[] }> {
  const folder = await temporaryFolder();
  const paths = Array.from({ length: files }, (_, i) => join(folder, String(i)));
  await Promise.all(paths.map((path, i) => writeFile(path, Uint8Array.of(i, i + 1))));
  return { folder, paths };
}

test('reads of more files than may be open, at once', async () => {
  const { paths } = await folderOf(9);
  const pool = new FilePool(2);
  const reads = [...paths, ...paths].map((path) => pool.read(path, 1, 1));
  expect((await Promise.all(reads)).map(([byte]) => byte)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9,
  ]);
  await pool.close();
});

test.skipIf(!canCount)(
  'holds a bounded number open, and none once it is closed, whatever is still read',
  async () => {
    const { folder, paths } = await folderOf(5);
    const pool = new FilePool(2);
    for (const path of paths) await pool.read(path, 0, 1);
    expect(await openFiles(folder)).toBe(2);
    const late = pool.read(paths[0]!, 0, 2);
    await pool.close();
    expect([...(await late)]).toEqual([0, 1]);
    expect([...(await pool.read(paths[3]!, 0, 1))]).toEqual([3]);
    expect(await openFiles(folder)).toBe(0);
  },
);

test.skipIf(!canCount)('leaves nothing open where a source cannot be opened', async () => {
  const { folder, paths } = await folderOf(2);
  const opening = withPool(async (pool) => {
    await pool.read(paths[0]!, 0, 1);
    throw new Error('no labels');
  });
  await expect(opening).rejects.toThrow('no labels');
  expect(await openFiles(folder)).toBe(0);
});
