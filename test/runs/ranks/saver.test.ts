// Savers of several ranks: what one may not save is saved by none.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { Saver } from '../../../src/train/saver.ts';
import { Snapshot } from '../../../src/train/snapshot.ts';
import { buffersOf, extentOf, model } from '../../support/owned-state.ts';
import { openRanks } from '../../support/run-of-ranks.ts';

const backend = referenceBackend();
let place: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'savers-'));
});
afterEach(() => rm(place, { recursive: true, force: true }));

/** Savers of four ranks, and what each tells. */
async function savers(flush: (rank: number) => Promise<void> = async () => {}) {
  const path = join(place, 'run');
  const ranks = await openRanks(path, 4);
  const told: string[][] = ranks.runs.map(() => []);
  const buffers = await Promise.all(ranks.runs.map((_, rank) => buffersOf(backend, 0, extentOf(rank, 4))));
  const each = ranks.runs.map(
    ({ store }, rank) =>
      new Saver({
        store,
        snapshot: new Snapshot({ model, buffers: buffers[rank]!, extent: extentOf(rank, 4) }),
        train: { steps: 30, checkpointEvery: 10, keepCheckpoints: 3, keepEvery: 0 },
        observer: {
          onCheckpoint: (step) => told[rank]!.push(`saved ${step}`),
          onNotice: (text) => told[rank]!.push(text),
        },
        flush: () => flush(rank),
      }),
  );
  return {
    buffers,
    told,
    folder: ranks.folder,
    saved: () => readdir(join(path, 'checkpoints')),
    async begin(step: number): Promise<void> {
      await Promise.all(each.map((saver) => saver.begin({ step, state: {} })));
      await Promise.all(each.map((saver) => saver.settled()));
    },
  };
}

it.each([0, 2])('values that are not finite on rank %i', async (bad) => {
  const { begin, buffers, told, saved, folder } = await savers();
  await begin(10);
  const average = buffers[bad]!.get('ema/kernel')!;
  const good = await average.read();
  await average.write(new Float32Array(good.length).fill(NaN));
  await begin(20);
  expect(await saved()).toEqual(['step-0000010']);
  const problem =
    /step 20: its weights are not saved, earlier checkpoints are untouched: kernel has \d+ values that are not finite/;
  for (const [rank, [first, second, ...more]] of told.entries()) {
    expect([first, more]).toEqual(['saved 10', []]);
    expect(second).toMatch(problem);
    expect(second!.startsWith('rank 2 on host-2: ')).toBe(bad === 2 && rank !== 2);
  }
  await average.write(good);
  await begin(30);
  expect(await saved()).toEqual(['step-0000010', 'step-0000030']);
  expect(told.map((each) => each.at(-1))).toEqual(['saved 30', 'saved 30', 'saved 30', 'saved 30']);
  await folder.close();
});

it('logs that one rank cannot flush', async () => {
  const { begin, told, saved, folder } = await savers(async (rank) => {
    if (rank === 0) throw new Error('The log is lost.');
  });
  await begin(10);
  expect(await saved()).toEqual([]);
  const told0 =
    'The log is lost. Training goes on, and the next try is after step 20. There is no checkpoint yet.';
  expect(told).toEqual([[told0], [told0], [told0], [told0]]);
  await folder.close();
});
