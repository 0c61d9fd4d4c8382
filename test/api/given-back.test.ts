// Whoever makes a backend, buffers or programs gives them back: nothing of a run is held when it is over.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { replay } from '../../src/api/replay.ts';
import { sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { loadNative } from '../../src/backends/cpu/native.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { FlowSampler } from '../../src/flow/sample.ts';
import { temporaryFolder } from '../support/cli.ts';
import { randomWeights, tinyDiT } from '../support/models.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const native = loadNative();
const source = stripes();
const config: ConfigInput = {
  ...tinyStripes,
  train: { ...tinyStripes.train, microBatch: 2, sampleEvery: 6 },
  loader: { onBadSample: 'fail' },
  heldOut: { count: 3, every: 4 },
  backend: { name: 'cpu', threads: 1 },
};

it.each(['a backend of its own', 'a backend that was handed over'])('of a run on %s', async (which) => {
  const given = which.startsWith('a backend that') ? cpuBackend({ threads: 1 }) : undefined;
  const [before, backend] = [native.held(), given && { backend: given }];
  const runs = await temporaryFolder();
  const { run } = await train(config, { runs, source, ...backend });
  expect(native.held()).toEqual(before);
  await resume(run, { source, ...backend });
  expect(native.held()).toEqual(before);
  await replay(run, 1, 12, { source, ...backend });
  expect(native.held()).toEqual(before);
  await sample(run, { labels: [1], count: 2, steps: 2, ...backend });
  expect(native.held()).toEqual(before);
  await diagnose(config, { source, runs, overfitSeconds: 5, ...backend });
  expect(native.held()).toEqual(before);
  await given?.dispose();
});

it('of a run that fails', async () => {
  const before = native.held();
  const runs = await temporaryFolder();
  const stop = new Error('enough');
  const onStep = (): never => {
    throw stop;
  };
  await expect(train(config, { runs, source, onStep })).rejects.toBe(stop);
  expect(native.held()).toEqual(before);

  const { run } = await train(config, { runs, source });
  const [checkpoint] = await readdir(join(run, 'checkpoints'));
  expect(checkpoint).toBeDefined();
  const backend = cpuBackend({ threads: 1 });
  const held = native.held();
  const model = { ...config, model: { ...tinyStripes.model, width: 32 } };
  await expect(train(model, { runs, source, backend, onPlan: () => void backend.dispose() })).rejects.toThrow(
    'the cpu backend was disposed of',
  );
  expect(native.held()).toMatchObject({ programs: held.programs, bytes: held.bytes });
});

it('of a sampler, which makes nothing more', async () => {
  const backend = cpuBackend({ threads: 1 });
  const model = tinyDiT();
  const weights = await randomWeights(backend, model);
  const before = native.held();
  const sampler = new FlowSampler(backend, model, weights);
  const options = { conditions: { labels: [0, 1] }, count: 2, steps: 1, seed: 1 };
  const made = await sampler.sample(options);
  // The model, the step and what puts x back; what draws the noise is of a call's seed, and gone with it.
  expect(native.held().programs).toBe(before.programs + 3);
  await sampler.dispose();
  await sampler.dispose();
  expect(native.held()).toEqual(before);
  await expect(sampler.sample(options)).rejects.toThrow('the sampler was disposed of');
  const other = new FlowSampler(backend, model, weights);
  expect(await other.sample(options)).toEqual(made);
  await backend.dispose();
});
