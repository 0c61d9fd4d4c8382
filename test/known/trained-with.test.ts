import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();

/** A run that stopped after some of its steps, with no checkpoint where there are none. */
async function stoppedRun(steps: number): Promise<string> {
  const controller = new AbortController();
  if (steps === 0) controller.abort();
  const { run } = await train(
    { ...tinyStripes, train: { ...tinyStripes.train, logEvery: 1 } },
    {
      runs: await temporaryFolder(),
      source,
      backend,
      signal: controller.signal,
      onStep: ({ step }) => {
        if (step === steps) controller.abort();
      },
    },
  );
  return run;
}

async function edit(run: string, from: string, to: string): Promise<void> {
  const file = join(run, 'config.json');
  const text = await readFile(file, 'utf8');
  expect(text).toContain(from);
  await writeFile(file, text.replace(from, to));
}

async function noticesOf(run: string, engine = backend): Promise<string[]> {
  const notices: string[] = [];
  await resume(run, { source, backend: engine, onNotice: (text) => notices.push(text) });
  return notices;
}

describe('a resumed run says what is other than when its checkpoint was made', () => {
  it('settings, by name and with both values', async () => {
    const run = await stoppedRun(3);
    await edit(run, '"learningRate": 0.001', '"learningRate": 0.002');
    await edit(run, '"steps": 12', '"steps": 14');
    const [file, checkpoint] = [join(run, 'config.json'), join(run, 'checkpoints', 'step-0000003')];
    expect(await noticesOf(run)).toEqual([
      `${file} differs from what ${checkpoint} was trained with: optimizer.learningRate 0.001 -> 0.002, train.steps 12 -> 14.`,
    ]);
    // From then on these are what it was trained with.
    expect(await noticesOf(run)).toEqual([]);
  });

  it('the kernels', async () => {
    const run = await stoppedRun(3);
    expect(await noticesOf(run, { ...backend, name: 'cpu', isa: 'avx2' })).toEqual([
      expect.stringMatching(/step-0000003 was trained with reference, this is cpu avx2: numbers may differ/),
    ]);
  });

  it('that the config was edited, where there is no checkpoint yet', async () => {
    const run = await stoppedRun(0);
    await edit(run, '"seed": 0', '"seed": 1');
    expect((await noticesOf(run))[1]).toMatch(/config\.json is not as it was when the run began/);
  });

  it('nothing where nothing is, or where the run was started by an earlier version', async () => {
    const run = await stoppedRun(0);
    expect(await noticesOf(run)).toHaveLength(1);
    const old = await stoppedRun(0);
    const file = join(old, 'config.json');
    const { configSha256: _, ...record } = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...record, config: { ...record.config, seed: 5 } }));
    expect(await noticesOf(old)).toHaveLength(1);
  });
});
