// Whatever happened to the last checkpoint, a run goes on from the one before, to the bit.
import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, stripes, tinyStripes } from '../support/tiny-run.ts';

const options = { source: stripes(), backend: referenceBackend() };
let whole: string;
beforeAll(async () => {
  const config = { ...tinyStripes, train: { ...tinyStripes.train, steps: 4, checkpointEvery: 2 } };
  whole = (await train(config, { ...options, runs: await temporaryFolder() })).run;
});

async function flipMiddle(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[bytes.length >> 1]! ^= 4;
  await writeFile(file, bytes);
}

const damages = {
  missing: (file: string) => rm(file),
  empty: (file: string) => truncate(file, 0),
  truncated: (file: string) => truncate(file, 300),
  'changed by a bit': flipMiddle,
};

const cases: [file: string, what: keyof typeof damages][] = [
  ['model.safetensors', 'missing'],
  ['ema.safetensors', 'truncated'],
  ['optimizer.safetensors', 'changed by a bit'],
  ['state.json', 'missing'],
  ['state.json', 'empty'],
  ['state.json', 'truncated'],
  ['state.json', 'changed by a bit'],
];

describe.each(cases)('%s is %s', (file, what) => {
  it('which resume and sample say, and take the checkpoint before', async () => {
    const run = join(await temporaryFolder(), 'stripes');
    await cp(whole, run, { recursive: true });
    const damaged = join(run, 'checkpoints', 'step-0000004', file);
    await damages[what](damaged);
    const notices: string[] = [];
    const onNotice = (text: string): unknown => notices.push(text);
    const made = await sample(run, { backend: options.backend, count: 1, labels: [0], onNotice });
    expect(made.step).toBe(2);
    expect(await resume(run, { ...options, onNotice })).toMatchObject({ step: 4, finished: true });
    expect(notices).toEqual([expect.stringContaining(damaged), expect.stringContaining(damaged)]);
    expect(await checkpointBytes(run, 4)).toEqual(await checkpointBytes(whole, 4));
  });
});
