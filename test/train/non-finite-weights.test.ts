// Weights that are no numbers are never an intact checkpoint, and no use is made of those that are there.
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { exportRun, importRun, resume, sample, train } from '../../src/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { listCheckpoints } from '../../src/runs/checkpoint.ts';
import { digestFile } from '../../src/host/durable.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors-file.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { rewriteState } from '../support/checkpoint-state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();
const config: ConfigInput = { ...tinyStripes, train: { ...tinyStripes.train, steps: 4, checkpointEvery: 2 } };
let good: string;
beforeAll(async () => {
  good = (await train(config, { runs: await temporaryFolder(), source, backend })).run;
});

describe('a run whose weights overflow', () => {
  it('keeps what is good, says so, and ends with an error', async () => {
    const runs = await temporaryFolder();
    const notices: string[] = [];
    const wild: ConfigInput = {
      ...config,
      train: { ...config.train, steps: 4, checkpointEvery: 1 },
      optimizer: { learningRate: 1e38, warmupSteps: 0, decay: 'constant', weightDecay: 10 },
    };
    const training = train(wild, { runs, source, backend, onNotice: (text) => notices.push(text) });
    await expect(training).rejects.toThrow(
      /^step 4: its weights are not saved, earlier checkpoints are untouched: \S+ has \d+ values that are not finite, of \d+.*\. Lower optimizer\.learningRate/,
    );
    expect(notices.join('\n')).toMatch(/step 1: its weights are not saved.*There is no checkpoint yet\./);
    expect(await listCheckpoints(join(runs, 'stripes', 'checkpoints'))).toEqual([]);
  });
});

/** A run whose last checkpoint has a number that is none, and the checksums that belong to it. */
async function poisoned(
  names = ['model.safetensors', 'ema.safetensors'],
  tensor = 'x_embedder.proj.weight',
  step = 4,
): Promise<string> {
  const run = join(await temporaryFolder(), 'stripes');
  await cp(good, run, { recursive: true });
  const checkpoint = join(run, 'checkpoints', `step-000000${step}`);
  const files: Record<string, unknown> = {};
  for (const name of names) {
    const { tensors, metadata } = await readSafetensors(join(checkpoint, name));
    (tensors.get(tensor)!.data as Float32Array)[3] = Infinity;
    await cp(join(checkpoint, name), join(checkpoint, `${name}.old`));
    await writeFile(join(checkpoint, name), '');
    const spare = join(await temporaryFolder(), name);
    await writeSafetensors(spare, tensors, metadata);
    await cp(spare, join(checkpoint, name));
    files[name] = await digestFile(join(checkpoint, name));
  }
  await rewriteState(checkpoint, (members) => ({ ...members, files: { ...members['files'], ...files } }));
  return run;
}

const odd = /x_embedder\.proj\.weight has 1 value that is not finite, of 256/;

describe('a checkpoint whose weights are no numbers', () => {
  it('is of no use to sample, resume and export, which say so', async () => {
    const run = await poisoned();
    await expect(sample(run, { backend, count: 1 })).rejects.toThrow(odd);
    await expect(resume(run, { source, backend })).rejects.toThrow(odd);
    await expect(exportRun(run, { to: join(run, 'out.safetensors') })).rejects.toThrow(odd);
    expect(await sample(run, { backend, count: 1, checkpoint: 2 })).toMatchObject({ step: 2 });
  });

  it('goes on where only what the optimizer keeps has overflowed', async () => {
    const run = await poisoned(['optimizer.safetensors'], 'adamw.v/x_embedder.proj.weight', 2);
    await rm(join(run, 'checkpoints', 'step-0000004'), { recursive: true });
    const steps: number[] = [];
    await resume(run, { source, backend, onStart: ({ step }) => steps.push(step) });
    expect(steps).toEqual([2]);
  });

  it('is not imported', async () => {
    const run = await poisoned();
    const file = join(run, 'checkpoints', 'step-0000004', 'ema.safetensors');
    await expect(importRun(file, { runs: await temporaryFolder() })).rejects.toThrow(odd);
  });
});
