import { execFileSync } from 'node:child_process';
import {
  appendFile,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  latestCheckpoint,
  listCheckpoints,
  readCheckpointPart,
  removeLeftovers,
  removeOldCheckpoints,
  saveCheckpoint,
  stepName,
  verifyCheckpoint,
} from '../../src/runs/checkpoint.ts';
import { checkpointAt } from './fixtures.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoint-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const FILES = ['model.safetensors', 'ema.safetensors', 'optimizer.safetensors', 'state.json'];

test('what is saved is found and read back', async () => {
  const path = await saveCheckpoint(folder, checkpointAt(1000));
  expect(path).toBe(join(folder, 'step-0001000'));
  expect((await readdir(path)).toSorted()).toEqual([...FILES].toSorted());
  const saved = await latestCheckpoint(folder);
  expect(saved).toMatchObject({ step: 1000, path, state: checkpointAt(1000).state });
  for (const part of ['model', 'ema', 'optimizer'] as const) {
    expect(await readCheckpointPart(saved, part)).toEqual(checkpointAt(1000)[part]);
  }
});

test('steps are ordered as numbers, beyond seven digits too', async () => {
  for (const step of [20_000_000, 3, 9_999_999]) await saveCheckpoint(folder, checkpointAt(step));
  expect(await listCheckpoints(folder)).toEqual([3, 9_999_999, 20_000_000]);
  expect((await latestCheckpoint(folder)).step).toBe(20_000_000);
});

describe('damage', () => {
  async function flip(path: string, at: number): Promise<void> {
    const bytes = await readFile(path);
    bytes[at] = bytes[at]! ^ 1;
    await writeFile(path, bytes);
  }

  test('a flipped bit anywhere in any file is found, and the file is named', async () => {
    const path = await saveCheckpoint(folder, checkpointAt(1));
    for (const name of FILES) {
      const file = join(path, name);
      const good = await readFile(file);
      for (let at = 0; at < good.length; at += 7) {
        await flip(file, at);
        await expect(verifyCheckpoint(path)).rejects.toThrow(file);
        await writeFile(file, good);
      }
    }
    await verifyCheckpoint(path);
  });

  test.each<[string, (path: string) => Promise<void>, RegExp]>([
    [
      'truncated',
      (path) => truncate(join(path, 'ema.safetensors'), 100),
      /ema.safetensors: has 100 bytes, \d+ were/,
    ],
    [
      'grown',
      (path) => appendFile(join(path, 'ema.safetensors'), 'x'),
      /ema.safetensors: has \d+ bytes, \d+ were/,
    ],
    [
      'swapped',
      (path) => copyFile(join(path, 'ema.safetensors'), join(path, 'model.safetensors')),
      /model.*SHA-256/,
    ],
    ['missing', (path) => rm(join(path, 'optimizer.safetensors')), /optimizer.safetensors: no such file/],
    ['no state', (path) => rm(join(path, 'state.json')), /state.json: no such file/],
    ['empty state', (path) => truncate(join(path, 'state.json'), 0), /state.json: holds no valid JSON/],
    ['cut state', (path) => truncate(join(path, 'state.json'), 50), /state.json: holds no valid JSON/],
    [
      'other format',
      (path) => writeFile(join(path, 'state.json'), '{"format": 2}'),
      /format 2, this version reads 1/,
    ],
  ])('%s: the one before is taken, with a warning', async (_, damage, message) => {
    await saveCheckpoint(folder, checkpointAt(1));
    await damage(await saveCheckpoint(folder, checkpointAt(2)));
    const warnings: string[] = [];
    const saved = await latestCheckpoint(folder, (problem) => warnings.push(problem.message));
    expect(saved.step).toBe(1);
    expect(warnings).toEqual([expect.stringMatching(message)]);
  });

  test('none left: each is named', async () => {
    for (const step of [1, 2])
      await truncate(join(await saveCheckpoint(folder, checkpointAt(step)), 'model.safetensors'), 9);
    await expect(latestCheckpoint(folder)).rejects.toThrow(
      /no checkpoint is intact:\n.*step-0000002.model.safetensors: has 9 bytes.*\n.*step-0000001.model/,
    );
  });

  test('none yet', async () => {
    await expect(latestCheckpoint(folder)).rejects.toThrow(/there is no checkpoint yet/);
    await expect(latestCheckpoint(join(folder, 'missing'))).rejects.toThrow(/there is no checkpoint yet/);
  });

  test('a damaged one is replaced when its step is saved again', async () => {
    const path = await saveCheckpoint(folder, checkpointAt(5));
    await flip(join(path, 'model.safetensors'), 200);
    await saveCheckpoint(folder, checkpointAt(5));
    expect((await latestCheckpoint(folder)).step).toBe(5);
    expect(await readdir(folder)).toEqual(['step-0000005']);
  });
});

describe('retention', () => {
  test('the newest are kept; those of later steps, which the run has left, do not count', async () => {
    for (const step of [1, 2, 3, 4, 9]) await saveCheckpoint(folder, checkpointAt(step));
    await removeOldCheckpoints(folder, 4, { keepCheckpoints: 2, keepEvery: 0 });
    expect(await listCheckpoints(folder)).toEqual([3, 4, 9]);
    await removeOldCheckpoints(folder, 9, { keepCheckpoints: 5, keepEvery: 0 });
    expect(await readdir(folder)).toHaveLength(3);
  });

  test('those of every so many steps are kept beside the newest', async () => {
    for (const step of [10, 15, 20, 25, 30]) await saveCheckpoint(folder, checkpointAt(step));
    await removeOldCheckpoints(folder, 30, { keepCheckpoints: 2, keepEvery: 20 });
    expect(await listCheckpoints(folder)).toEqual([20, 25, 30]);
  });
});

describe('a crash at any instant', () => {
  test('while files are written: what is there of them goes, the last good one stays', async () => {
    await saveCheckpoint(folder, checkpointAt(1));
    await mkdir(join(folder, '.saving-step-0000002'));
    await writeFile(join(folder, '.saving-step-0000002', 'model.safetensors'), 'half');
    expect((await latestCheckpoint(folder)).step).toBe(1);
    await removeLeftovers(folder);
    expect(await readdir(folder)).toEqual(['step-0000001']);
  });

  test('between the renames of a replacement: the one moved aside comes back', async () => {
    const path = await saveCheckpoint(folder, checkpointAt(1));
    await rename(path, join(folder, '.replaced-step-0000001'));
    await removeLeftovers(folder);
    expect((await latestCheckpoint(folder)).step).toBe(1);
  });

  test('after a replacement, and while an old one is removed', async () => {
    const path = await saveCheckpoint(folder, checkpointAt(1));
    await cp(path, join(folder, '.replaced-step-0000001'), { recursive: true });
    await mkdir(join(folder, '.removed-step-0000000'));
    await removeLeftovers(folder);
    expect(await readdir(folder)).toEqual(['step-0000001']);
  });

  test('a save clears the way for itself', async () => {
    await mkdir(join(folder, `.saving-${stepName(1)}`));
    await saveCheckpoint(folder, checkpointAt(1));
    expect(await readdir(folder)).toEqual(['step-0000001']);
  });
});

describe('a full disk', () => {
  afterEach(() => {
    vi.doUnmock('node:fs/promises');
    vi.resetModules();
  });

  /** saveCheckpoint on a disk that takes this many bytes. */
  async function saveOnDiskOf(bytes: number): Promise<typeof saveCheckpoint> {
    let left = bytes;
    const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises');
    vi.doMock('node:fs/promises', () => ({
      ...real,
      open: async (...args: Parameters<typeof real.open>) => {
        const file = await real.open(...args);
        const write = file.write.bind(file) as (...rest: unknown[]) => Promise<{ bytesWritten: number }>;
        file.write = (async (piece: Uint8Array, at: number, length: number, ...rest: unknown[]) => {
          if (left === 0) throw Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC' });
          const part = Math.min(left, length);
          left -= part;
          return write(piece, at, part, ...rest);
        }) as typeof file.write;
        return file;
      },
    }));
    vi.resetModules();
    return (await import('../../src/runs/checkpoint.ts')).saveCheckpoint;
  }

  test.each([0, 100, 700, 1000])(
    'after %i bytes: old ones are intact, nothing is left over',
    async (bytes) => {
      await saveCheckpoint(folder, checkpointAt(1));
      const save = await saveOnDiskOf(bytes);
      await expect(save(folder, checkpointAt(2))).rejects.toThrow(
        /step-0000002: the checkpoint cannot be saved: no space left on the disk; .* up to step-0000001, are untouched/,
      );
      expect(await readdir(folder)).toEqual(['step-0000001']);
      expect((await latestCheckpoint(folder)).step).toBe(1);
    },
  );

  test('a failed replacement leaves the one it was to replace', async () => {
    await saveCheckpoint(folder, checkpointAt(1));
    const save = await saveOnDiskOf(500);
    await expect(save(folder, checkpointAt(1))).rejects.toThrow(/no space left/);
    expect((await latestCheckpoint(folder)).step).toBe(1);
  });

  test('a real small disk', async (context) => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      context.skip('mounting a tmpfs needs root');
    }
    try {
      await saveCheckpoint(disk, checkpointAt(1));
      const data = new Float32Array(100_000);
      const large = {
        ...checkpointAt(2),
        ema: new Map([['a', { dtype: 'F32' as const, shape: [data.length], data }]]),
      };
      await expect(saveCheckpoint(disk, large)).rejects.toThrow(/no space left on the disk/);
      expect(await readdir(disk)).toEqual(['step-0000001']);
      await saveCheckpoint(disk, checkpointAt(3));
      expect((await latestCheckpoint(disk)).step).toBe(3);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
