// Averages that ranks store together are the file that a process stores alone.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readSafetensors } from '../../../src/formats/safetensors-file.ts';
import { storeAverages } from '../../../src/runs/store-averages.ts';
import { ownedRange } from '../../../src/train/ranks/ownership.ts';
import type { OpenTensors } from '../../../src/train/run-store.ts';
import { extentOf, model } from '../../support/owned-state.ts';
import { ranksOfProcess } from '../../support/ranks.ts';
import { averagesOf, elsewhere, filesIn, openRanks } from '../../support/run-of-ranks.ts';

const kernel = 'ema.power-0.1/kernel';
const shape = [3, 4, 2, 9];

let place: string;
let path: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'averages-'));
  path = join(place, 'run');
});
afterEach(() => rm(place, { recursive: true, force: true }));

/** The averages of a rank, of which one value is another. */
function averagesWith(value: number | undefined, rank: number, ranks: number): Promise<OpenTensors> {
  const { start, end } = ownedRange(shape, extentOf(rank, ranks).own);
  const at = 150;
  return averagesOf(rank, ranks, async (buffers) => {
    if (value === undefined || at < start || at >= end) return;
    const values = Float32Array.from(await buffers.get(kernel)!.read());
    values[at - start] = value;
    await buffers.get(kernel)!.write(values);
  });
}

async function storeOn(communicators: Parameters<typeof openRanks>[1], value?: number) {
  const ranks = await openRanks(path, communicators);
  const outcomes = await ranks.outcomes(async ({ store }, rank) =>
    store.storeAverages(4, 3, await averagesWith(value, rank, ranks.runs.length)),
  );
  await ranks.folder.close();
  return outcomes;
}

it.each([
  [1, undefined],
  [2, undefined],
  [8, undefined],
  // Float16 cannot hold it.
  [4, 1e5],
])('%i ranks store the bytes that one process stores', async (count, value) => {
  await storeOn(count, value);
  await storeAverages(place, 4, 3, await averagesWith(value, 0, 1));
  const stored = await filesIn(join(path, 'averages'));
  expect([...stored.keys()]).toEqual(['step-0000004.safetensors']);
  expect(stored).toEqual(await filesIn(join(place, 'averages')));
  const { tensors } = await readSafetensors(join(path, 'averages', 'step-0000004.safetensors'));
  expect([...tensors.keys()].toSorted()).toEqual(
    model.parameters.map(({ name }) => `ema.power-0.1/${name}`).toSorted(),
  );
  expect(tensors.get(kernel)!.dtype).toBe(value === undefined ? 'F16' : 'F32');
});

it('what is not finite on one rank is stored by none', async () => {
  const file = join(path, 'averages', 'step-0000004.safetensors');
  const message = `rank 2 on host-2: ${file}: is not stored: ${kernel} has values that are not finite. Lower optimizer.learningRate.`;
  expect(await storeOn(4, NaN)).toEqual([message, message, message, message]);
  expect(await readdir(join(path, 'averages'))).toEqual([]);
});

it('a rank that does not see the file is named, and nothing is left', async () => {
  const ranks = ranksOfProcess(2);
  const outcomes = await storeOn([ranks[0]!, elsewhere(ranks[1]!, join(path, 'averages'))]);
  expect(outcomes[0]).toMatch(
    /^rank 1 on host-1: .*safetensors\.tmp-\d+: is not there, though rank 0 made it\./,
  );
  expect(outcomes[1]).toBe(outcomes[0]);
  expect(await readdir(join(path, 'averages'))).toEqual([]);
});
