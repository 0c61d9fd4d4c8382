// Ranks that are processes write the checkpoint of one process.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { latestCheckpoint, saveCheckpoint } from '../../src/runs/checkpoint.ts';
import { RunFolder } from '../../src/runs/run-folder.ts';
import { storeAverages } from '../../src/runs/store-averages.ts';
import { bundle, installed, runRanks, startRanks } from '../support/mpi.ts';
import { averagesOf, filesIn, piecesOf } from '../support/run-of-ranks.ts';

let program: string;
beforeAll(async () => {
  program = await bundle('checkpoint');
});

let place: string;
let path: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'processes-'));
  path = join(place, 'run');
});
afterEach(() => rm(place, { recursive: true, force: true }));

for (const mpi of installed)
  describe.skipIf(mpi.skipped)(`${mpi.kind}${mpi.skipped}`, () => {
    it.each([2, 4])('%i ranks write the bytes of one process', async (ranks) => {
      const checkpoint = join(path, 'checkpoints', 'step-0000010');
      const told = await runRanks(mpi, ranks, [program, path]);
      expect(told).toEqual(Array.from({ length: ranks }, () => ({ checkpoint, step: 10, has: true })));
      const alone = await saveCheckpoint(join(place, 'alone'), await piecesOf(0, 1));
      expect(await filesIn(checkpoint)).toEqual(await filesIn(alone));
      await storeAverages(place, 10, 9, await averagesOf(0, 1));
      expect(await filesIn(join(path, 'averages'))).toEqual(await filesIn(join(place, 'averages')));
    });

    it('a rank that is killed in the middle of a save leaves the one before', async () => {
      const { code } = await startRanks(mpi, 3, [program, path, 'dies']).ended;
      expect(code).not.toBe(0);
      const checkpoints = join(path, 'checkpoints');
      expect((await readdir(checkpoints)).toSorted()).toEqual(['.saving-step-0000011', 'step-0000010']);
      const folder = await RunFolder.open(path);
      expect(await readdir(checkpoints)).toEqual(['step-0000010']);
      expect((await latestCheckpoint(checkpoints)).step).toBe(10);
      await folder.close();
    });
  });
