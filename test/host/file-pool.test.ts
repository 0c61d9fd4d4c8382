import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FilePool, withPool } from '../../src/host/file-pool.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pool-'));
  await Promise.all(Array.from({ length: 10 }, (_, i) => writeFile(join(folder, String(i)), `content ${i}`)));
});
afterAll(() => rm(folder, { recursive: true }));

const OPEN = '/proc/self/fd';

async function countOpen(): Promise<number> {
  // Files that are given back are closed in the background.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const links = (await readdir(OPEN)).map((name) => readlink(join(OPEN, name)).catch(() => ''));
  return (await Promise.all(links)).filter((link) => link.startsWith(folder)).length;
}

test('reads of many files at once', async () => {
  const pool = new FilePool(2);
  const reads = Array.from({ length: 40 }, (_, i) => pool.read(join(folder, String(i % 10)), 8, 1));
  expect((await Promise.all(reads)).map((bytes) => Number(Buffer.from(bytes).toString()))).toEqual(
    Array.from({ length: 40 }, (_, i) => i % 10),
  );
  await pool.close();
});

test.skipIf(!existsSync(OPEN))(
  'no more files stay open than it may have (skipped where /proc is missing)',
  async () => {
    const pool = new FilePool(2);
    await Promise.all(Array.from({ length: 10 }, (_, i) => pool.read(join(folder, String(i)), 0, 1)));
    expect(await countOpen()).toBe(2);
    await pool.close();
    expect(await countOpen()).toBe(0);
  },
);

test('a file that is missing, or ends too soon; the next read tries again', async () => {
  const pool = new FilePool();
  const late = join(folder, 'late');
  await expect(pool.read(late, 0, 1)).rejects.toThrow(/late: no such file/);
  await writeFile(late, 'abc');
  await expect(pool.read(late, 2, 5)).rejects.toThrow(/late: ends at byte 3/);
  expect(await pool.read(late, 2, 1)).toEqual(Uint8Array.of(99));
  await pool.close();
});

test.skipIf(!existsSync(OPEN))(
  'nothing stays open once it is closed, whatever is still read (skipped where /proc is missing)',
  async () => {
    const [first, second] = [join(folder, '1'), join(folder, '2')];
    const pool = new FilePool();
    await pool.read(first, 0, 1);
    const late = pool.read(first, 8, 1);
    await pool.close();
    expect(Buffer.from(await late).toString()).toBe('1');
    expect(Buffer.from(await pool.read(second, 8, 1)).toString()).toBe('2');
    expect(await countOpen()).toBe(0);
  },
);

test.skipIf(!existsSync(OPEN))(
  'nothing stays open where a source cannot be opened (skipped where /proc is missing)',
  async () => {
    const opening = withPool(async (pool) => {
      await pool.read(join(folder, '3'), 0, 1);
      throw new Error('no labels');
    });
    await expect(opening).rejects.toThrow('no labels');
    expect(await countOpen()).toBe(0);
  },
);
