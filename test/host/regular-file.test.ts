import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSafetensorsHeader } from '../../src/formats/safetensors-file.ts';
import { checkRegular, openRegular, readRegular } from '../../src/host/regular-file.ts';
import { expandPaths } from '../../src/formats/glob.ts';
import { FilePool } from '../../src/host/file-pool.ts';
import { openFolder } from '../../src/sources/images/folder.ts';
import { readIdx } from '../../src/formats/idx.ts';
import { readNpyHeader } from '../../src/formats/npy.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { settingsOf } from '../sources/images/pictures.ts';

let root: string;
let pipe: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'regular-'));
  pipe = join(root, 'a.png');
  if (process.platform !== 'win32') execFileSync('mkfifo', [pipe]);
});
afterAll(() => rm(root, { recursive: true }));

const PIPE = 'a.png: is a named pipe, not a regular file';

test('a regular file is read, and a link to one', async () => {
  const path = join(root, 'text.txt');
  await writeFile(path, 'text');
  expect((await readRegular(path)).toString()).toBe('text');
  await (await openRegular(path)).close();
});

test('what is missing, and a folder, have the codes of the system', async () => {
  await expect(checkRegular(join(root, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(checkRegular(root)).rejects.toMatchObject({ code: 'EISDIR' });
});

test('a file that is too large for what it is taken for is not read', async () => {
  const path = join(root, 'large.txt');
  await writeFile(path, 'text');
  expect((await readRegular(path, 4)).toString()).toBe('text');
  await expect(readRegular(path, 3)).rejects.toThrow(
    'has 4 bytes, more than the 3 that such a file may have',
  );
});

// A pipe that nobody writes to is waited for without end, which only kill -9 ends: the test would time out.
describe.skipIf(process.platform === 'win32')('a pipe is refused unopened', () => {
  test('as an image in a folder, by the policy for bad samples', async () => {
    const source = await openFolder({ source: 'folder', path: root, condition: 'none', ...settingsOf(8) });
    await expect(source.read(0, new Float32Array(192), 0, { seed: 0, epoch: 0 })).rejects.toThrow(PIPE);
  });

  test.each([
    ['an array', () => readNpyHeader(pipe)],
    ['IDX', () => readIdx(pipe)],
    ['weights', () => readSafetensorsHeader(pipe)],
    ['a config', () => loadConfig(pipe)],
    ['a shard', () => expandPaths(pipe, 'shards')],
    ['a member of a shard', () => new FilePool().read(pipe, 0, 1)],
  ])('as %s', async (_, read) => {
    await expect(read()).rejects.toThrow(PIPE);
  });

  test('so are a socket and a device', async () => {
    const path = join(root, 'socket');
    const server = createServer().listen(path);
    await new Promise((resolve) => server.once('listening', resolve));
    await expect(readRegular(path)).rejects.toThrow('is a socket, not a regular file');
    server.close();
    await expect(readRegular('/dev/zero')).rejects.toThrow('is a device, not a regular file');
  });
});
