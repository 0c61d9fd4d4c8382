// Averages that ranks store together are the file that a process stores alone.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Buffer as BackendBuffer } from '../../../src/backends/backend.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { readSafetensors } from '../../../src/formats/safetensors-file.ts';
import { storeAverages } from '../../../src/runs/store-averages.ts';
import { openPowerAverages } from '../../../src/train/snapshot.ts';
import { ownedRange } from '../../../src/train/ownership.ts';
import { buffersOf, extentOf, model } from '../../support/owned-state.ts';
import { ranksOfProcess } from '../../support/ranks.ts';
import { elsewhere, filesIn, openRanks } from '../../support/run-of-ranks.ts';

const backend = referenceBackend();
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
async function averagesOf(rank: number, ranks: number, value?: number) {
  const extent = extentOf(rank, ranks);
  const buffers: Map<string, BackendBuffer> = await buffersOf(backend, 0, extent);
  const { start, end } = ownedRange(shape, extent.own);
  const at = 150;
  if (value !== undefined && at >= start && at < end) {
    const values = Float32Array.from(await buffers.get(kernel)!.read());
    values[at - start] = value;
    await buffers.get(kernel)!.write(values);
  }
  return openPowerAverages({ model, buffers, extent });
}

async function storeOn(communicators: Parameters<typeof openRanks>[1], value?: number) {
  const ranks = await openRanks(path, communicators);
  const outcomes = await ranks.outcomes(async ({ store }, rank) =>
    store.storeAverages(4, 3, await averagesOf(rank, ranks.runs.length, value)),
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
  await storeAverages(place, 4, 3, await averagesOf(0, 1, value));
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
