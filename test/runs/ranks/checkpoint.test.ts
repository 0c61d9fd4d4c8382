// A checkpoint that ranks write together is the one that a process writes alone, and is read by any number of them.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { latestCheckpoint, saveCheckpoint } from '../../../src/runs/checkpoint.ts';
import { RunFolder } from '../../../src/runs/run-folder.ts';
import type { Pace } from '../../../src/tensor/pace.ts';
import { restoreSnapshot } from '../../../src/train/restore.ts';
import type { StoredCheckpoint } from '../../../src/train/run-store.ts';
import { buffersOf, extentOf, model, readAll } from '../../support/owned-state.ts';
import { ranksOfProcess } from '../../support/ranks.ts';
import { type Ranks, elsewhere, filesIn, openRanks, piecesOf } from '../../support/run-of-ranks.ts';

const backend = referenceBackend();
const retention = { keepCheckpoints: 2, keepEvery: 0 };
const failing = (code: string): Pace =>
  ({ rest: () => Promise.reject(Object.assign(new Error(code), { code })) }) as unknown as Pace;

let place: string;
let path: string;
let open: Ranks[] = [];
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'ranks-'));
  path = join(place, 'run');
});
afterEach(async () => {
  for (const { folder } of open) await folder.close();
  open = [];
  await rm(place, { recursive: true, force: true });
});

async function ranksAt(...options: Parameters<typeof openRanks>): Promise<Ranks> {
  const ranks = await openRanks(...options);
  open.push(ranks);
  return ranks;
}

/** @param pace of each rank, by which it may fail */
function saveOn(ranks: Ranks, seed = 0, pace: (rank: number) => Pace | undefined = () => undefined) {
  return ranks.outcomes(async ({ store }, rank) =>
    store.save(await piecesOf(rank, ranks.runs.length, seed), retention, pace(rank)),
  );
}

const same = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe.each([1, 2, 4, 8])('%i ranks', (count) => {
  it('write the files that one process writes, byte by byte', async () => {
    const ranks = await ranksAt(path, count);
    const saved = join(path, 'checkpoints', 'step-0000010');
    expect(await saveOn(ranks)).toEqual(same(count, saved));
    const alone = await saveCheckpoint(join(place, 'alone'), await piecesOf(0, 1));
    expect(await filesIn(saved)).toEqual(await filesIn(alone));
    expect(await readdir(join(path, 'checkpoints'))).toEqual(['step-0000010']);
  });

  it.each([1, 2, 8])('go on from what %i wrote', async (writers) => {
    const before = await openRanks(path, writers);
    await saveOn(before, 3);
    await before.folder.close();
    const ranks = await ranksAt(path, count, () => RunFolder.open(path));
    const states = await ranks.outcomes(async ({ store }, rank) => {
      const saved = await store.latest();
      const extent = extentOf(rank, count);
      const buffers = await buffersOf(backend, undefined, extent);
      await restoreSnapshot({ model, extent, buffers }, saved);
      expect(await readAll(buffers)).toEqual(await readAll(await buffersOf(backend, 3, extent)));
      return { step: saved.step, offset: (saved.state['position'] as { offset: number }).offset };
    });
    expect(states).toEqual(same(count, { step: 13, offset: 3 }));
  });
});

it('old ones are dropped by one rank, and all know what is there', async () => {
  const ranks = await ranksAt(path, 4);
  for (const seed of [0, 1, 2]) await saveOn(ranks, seed);
  expect(await readdir(join(path, 'checkpoints'))).toEqual(['step-0000011', 'step-0000012']);
  const has = (step: number) =>
    ranks.outcomes(({ store }) => store.has(join(path, 'checkpoints', `step-00000${step}`)));
  expect([await has(10), await has(12)]).toEqual([same(4, false), same(4, true)]);
});

it('a damaged one is told by one rank, and all read the one before', async () => {
  const ranks = await ranksAt(path, 4);
  for (const seed of [0, 1]) await saveOn(ranks, seed);
  await truncate(join(path, 'checkpoints', 'step-0000011', 'ema.safetensors'), 100);
  const told: string[] = [];
  const read = await ranks.outcomes(async ({ store }, rank) => {
    const { step } = await store.latest(({ message }) => told.push(`${rank} ${message}`));
    return step;
  });
  expect({ read, told }).toEqual({
    read: same(4, 10),
    told: [expect.stringMatching(/^0 .*ema.safetensors: has 100/)],
  });
  await rm(join(path, 'checkpoints'), { recursive: true });
  expect(await ranks.outcomes(({ store }) => store.latest())).toEqual(
    same(4, `${join(path, 'checkpoints')}: there is no checkpoint yet. Train until the first one is saved.`),
  );
});

describe('where one rank fails', () => {
  it.each([1, 3])('no rank saves, nothing of it is left, and the next one is saved: rank %i', async (bad) => {
    const ranks = await ranksAt(path, 4);
    await saveOn(ranks);
    const failed = await saveOn(ranks, 1, (rank) => (rank === bad ? failing('ENOSPC') : undefined));
    const saving = join(path, 'checkpoints', '.saving-step-0000011');
    expect(failed).toEqual(
      same(
        4,
        `rank ${bad} on host-${bad}: ${saving}: its part of the checkpoint cannot be saved: no space left on the disk; ` +
          'earlier ones are untouched. Free some space or check the disk.',
      ),
    );
    expect(await readdir(join(path, 'checkpoints'))).toEqual(['step-0000010']);
    expect((await latestCheckpoint(join(path, 'checkpoints'))).step).toBe(10);
    await saveOn(ranks, 2);
    expect((await latestCheckpoint(join(path, 'checkpoints'))).step).toBe(12);
  });

  it('rank 0 tells as it does alone', async () => {
    const ranks = await ranksAt(path, 4);
    await saveOn(ranks);
    const failed = await saveOn(ranks, 1, (rank) => (rank === 0 ? failing('EIO') : undefined));
    const message =
      `${join(path, 'checkpoints', 'step-0000011')}: the checkpoint cannot be saved: the disk failed; ` +
      'earlier ones, up to step-0000010, are untouched. Free some space or check the disk.';
    expect(failed).toEqual(same(4, message));
    expect(await readdir(join(path, 'checkpoints'))).toEqual(['step-0000010']);
  });

  it('the run is gone for all where it is gone', async () => {
    const ranks = await ranksAt(path, 2);
    const failed = await saveOn(ranks, 0, () => {
      const rest = () => rm(path, { recursive: true, force: true });
      return { rest } as unknown as Pace;
    });
    expect(failed).toEqual(same(2, expect.stringMatching(/run: the run folder is gone/)));
    expect(await readdir(place)).toEqual([]);
  });

  it('a real small disk is full for all', async (context) => {
    await mkdir(path);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=52k', 'tmpfs', path], { stdio: 'ignore' });
    } catch {
      context.skip('mounting a tmpfs needs root');
    }
    const ranks = await openRanks(path, 4);
    try {
      await saveOn(ranks);
      const failed = await saveOn(ranks, 1);
      expect(new Set(failed).size).toBe(1);
      expect(failed[0]).toMatch(/cannot be saved: no space left on the disk; earlier ones/);
      expect(await readdir(join(path, 'checkpoints'))).toEqual(['step-0000010']);
    } finally {
      await ranks.folder.close();
      execFileSync('umount', [path]);
    }
  });
});

it('what a rank left that died in the middle goes when the run is opened again', async () => {
  const communicators = ranksOfProcess(2);
  const ranks = await openRanks(path, communicators);
  await saveOn(ranks);
  // Rank 1 never reports.
  void ranks.runs[0]!.store.save(await piecesOf(0, 2, 1), retention);
  const dead = new Promise<void>((resolve) => communicators[1]!.onMessage('store/save', () => resolve()));
  await dead;
  expect(await readdir(join(path, 'checkpoints'))).toContain('.saving-step-0000011');
  await ranks.folder.close();
  const again = await ranksAt(path, 2, () => RunFolder.open(path));
  expect(await readdir(join(path, 'checkpoints'))).toEqual(['step-0000010']);
  expect(await again.outcomes(async ({ store }) => (await store.latest()).step)).toEqual([10, 10]);
});

describe('a folder that a machine does not see', () => {
  const advice = 'Ranks need a file system that all of their machines share: keep the run there.';

  it('is an error when the run is opened, on all ranks, that names rank and machine', async () => {
    const communicators = ranksOfProcess(4).map((each, rank) => (rank === 2 ? elsewhere(each, path) : each));
    let folder: RunFolder | undefined;
    const opening = openRanks(path, communicators, async () => (folder = await RunFolder.create(path, {})));
    await expect(opening).rejects.toThrow(
      `rank 2 on host-2: ${path}-of-another-machine/config.json: is not there, though rank 0 made it. ${advice}`,
    );
    await folder!.close();
  });

  it('is one when another run is there', async () => {
    const other = await RunFolder.create(`${path}-of-another-machine`, { name: 'other' });
    await other.close();
    const communicators = ranksOfProcess(2).map((each, rank) => (rank === 1 ? elsewhere(each, path) : each));
    let folder: RunFolder | undefined;
    const opening = openRanks(path, communicators, async () => (folder = await RunFolder.create(path, {})));
    await expect(opening).rejects.toThrow(
      /^rank 1 on host-1: .*config.json: is another one than rank 0 sees there\./,
    );
    await folder!.close();
  });

  it('is one when it is saved to and read from', async () => {
    const checkpoints = join(path, 'checkpoints');
    const communicators = ranksOfProcess(4).map((each, rank) =>
      rank === 3 ? elsewhere(each, checkpoints) : each,
    );
    const ranks = await ranksAt(path, communicators);
    expect(await saveOn(ranks)).toEqual(
      same(
        4,
        `rank 3 on host-3: ${checkpoints}-of-another-machine/.saving-step-0000010: is not there, though rank 0 made it. ${advice}`,
      ),
    );
    await saveCheckpoint(checkpoints, await piecesOf(0, 1));
    const read = await ranks.outcomes(({ store }) => store.latest());
    expect(read).toEqual(
      same(
        4,
        `rank 3 on host-3: ${checkpoints}-of-another-machine/step-0000010: is not there, though rank 0 made it. ${advice}`,
      ),
    );
    await saveCheckpoint(`${checkpoints}-of-another-machine`, { ...(await piecesOf(0, 1)), ema: new Map() });
    const other = await ranks.outcomes<StoredCheckpoint>(({ store }) => store.latest());
    expect(other).toEqual(
      same(4, expect.stringMatching(/step-0000010: is another checkpoint than rank 0 sees there/)),
    );
  });
});

it('a run that cannot be made is an error on all ranks', async () => {
  await (await RunFolder.create(path, {})).close();
  const communicators = ranksOfProcess(3);
  await expect(openRanks(path, communicators)).rejects.toThrow(/holds a run already/);
});
