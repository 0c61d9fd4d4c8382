// What ranks compare before the first step.
import { expect, it } from 'vitest';
import { checkPrepared } from '../../src/api/ranks/alike.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { PreparedRun } from '../../src/runner/prepare-run.ts';
import { onRanks } from '../support/ranks.ts';
import { stripes } from '../support/tiny-run.ts';

/** As much of a run as is compared. */
async function prepared(weight: number, sha256: string): Promise<PreparedRun> {
  const backend = referenceBackend();
  const buffer = backend.allocate({ shape: [2], dtype: 'float32' });
  await buffer.write(Float32Array.of(1, weight));
  return {
    backend,
    source: stripes(),
    model: { parameters: [{ name: 'w', shape: [2] }] },
    buffers: new Map([['w', buffer]]),
    notes: { state: { data: { fingerprint: sha256, told: { by: 'folder' } } } },
  } as unknown as PreparedRun;
}

it.each([
  [
    'the weights',
    3,
    'a',
    /the ranks differ in the weights: rank 0 on host-0 has \w{16}, rank 2 on host-2 has \w{16}\. /,
  ],
  [
    'the data',
    2,
    'b',
    /differ in the data: fingerprint: rank 0 on host-0 has "a", rank 2 on host-2 has "b"\. Give all/,
  ],
])('ranks that differ in %s are named, on all of them', async (_, weight, sha256, message) => {
  const ended = await onRanks(3, async (communicator) => {
    const isOther = communicator.rank === 2;
    const run = await prepared(isOther ? weight : 2, isOther ? sha256 : 'a');
    return checkPrepared(communicator, run).catch((error: Error) => error.message);
  });
  for (const text of ended) expect(text).toMatch(message);
});
