// A shared model goes on with other pictures, in a run that needs nothing but its folder.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { shareRun } from '../../src/api/share/run.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { type KeptConfig, keptConfig } from '../../src/kept/config.ts';
import { type RunData, runData } from '../../src/kept/data.ts';
import { MemoryFolder } from '../../src/kept/folder.ts';
import { checkpointOfShared } from '../../src/kept/from-shared.ts';
import { KeptRun } from '../../src/kept/run.ts';
import { verifyCheckpoint } from '../../src/runs/checkpoint.ts';
import { type SharedFiles, readShare } from '../../src/share/read.ts';
import { completeTraining } from '../../src/train/complete.ts';
import { createModel } from '../../src/train/create-model.ts';
import type { FlowConfig, ImageModel } from '../../src/train/settings.ts';
import { arraySource } from '../../src/sources/arrays.ts';
import { temporaryFolder } from '../support/cli.ts';
import { here, trainKept } from '../support/kept-run.ts';
import { toDisk } from '../support/kept-to-disk.ts';
import { randomValues } from '../support/random.ts';
import { checkpointBytes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const animals = ['cat', 'dog', 'owl'];
let shared: SharedFiles;

beforeAll(async () => {
  const folder = await temporaryFolder();
  const source = arraySource({
    images: Float32Array.from(randomValues(12 * 96, 3)),
    shape: [1, 8, 12],
    labels: Array.from({ length: 12 }, (_, i) => i % 3),
    classNames: animals,
  });
  const page = join(folder, 'page');
  await mkdir(page);
  await writeFile(join(page, 'index.html'), '<!doctype html>');
  const { run } = await train(
    { ...tinyStripes, train: { ...tinyStripes.train, steps: 3 } },
    { runs: join(folder, 'runs'), source, backend },
  );
  const { folder: at } = await shareRun(run, {
    to: join(folder, 'share'),
    page,
    backend,
    numbers: 'float16',
  });
  shared = await readShare(async (file) => Uint8Array.from(await readFile(join(at, file))).buffer);
});

/** Two of the model's classes, under its own labels of them. */
function owls(): RunData {
  const images = Uint8Array.from({ length: 8 * 96 }, (_, i) => (i * 7) % 256);
  const labels = Array.from({ length: 8 }, (_, i) => 1 + (i % 2));
  return runData({ images, shape: [1, 8, 12], labels, classNames: animals });
}

function configOf(data: RunData, { ramp = false, flow = {} as Partial<FlowConfig> } = {}): KeptConfig {
  const { model } = shared.manifest.config;
  const training = completeTraining(
    {
      model,
      flow: { ...shared.manifest.config.flow, ...flow },
      ema: { ramp, decay: 0.5 },
      train: { steps: 6, batchSize: 4, logEvery: 1, checkpointEvery: 3, sampleEvery: 0 },
    },
    data.source,
  );
  return keptConfig(training, { name: 'owls', data: data.settings, precision: 'fp32' });
}

const startOf = (config: KeptConfig): Parameters<typeof checkpointOfShared>[0] => ({
  config,
  ...shared,
  model: createModel(config.model as ImageModel),
});

async function begun(until: number): Promise<MemoryFolder> {
  const folder = new MemoryFolder('owls');
  const data = owls();
  const config = configOf(data);
  const run = await KeptRun.create(folder, { config, data, ...here });
  await run.save(checkpointOfShared(startOf(config)), config.train);
  if (until > 0) expect(await trainKept(run, until)).toEqual([]);
  return folder;
}

const onDisk = async (folder: MemoryFolder): Promise<string> =>
  toDisk(folder, join(await temporaryFolder(), 'owls'));

describe('a run that goes on from a shared model', () => {
  it(
    'is trained by the command line from its weights, or from where the page was',
    { timeout: 60_000 },
    async () => {
      const whole = await onDisk(await begun(6));
      for (const until of [0, 3]) {
        const run = await onDisk(await begun(until));
        const notices: string[] = [];
        await resume(run, { backend, onNotice: (text) => notices.push(text) });
        expect(notices).toEqual(
          until > 0 ? [] : [expect.stringContaining('training begins with the imported weights')],
        );
        expect(await checkpointBytes(run, 6)).toEqual(await checkpointBytes(whole, 6));
      }
      const { state } = await verifyCheckpoint(join(whole, 'checkpoints/step-0000006'));
      expect(state).toMatchObject({
        imported: { file: expect.stringMatching(/^the shared model .+, step 3$/) },
        nullTrained: true,
        data: { classNames: animals, classes: 3, count: 8 },
      });
    },
  );

  it('begins with the weights that were shared', async () => {
    const run = await KeptRun.open(await begun(0));
    const saved = await run.latest();
    for (const part of ['model', 'ema'] as const) {
      const opened = (await saved.open(part))!;
      expect([...opened.slots.keys()].toSorted()).toEqual([...shared.weights.keys()].toSorted());
      for (const [name, tensor] of shared.weights) expect(await opened.read(name)).toEqual(tensor);
    }
  });

  it('is refused where its average would forget them, or it learns by another objective', () => {
    const data = owls();
    expect(() => checkpointOfShared(startOf(configOf(data, { ramp: true })))).toThrow(
      'a shared model: ema.ramp must be false: a ramp would forget its weights, got true',
    );
    const ddpm = { objective: { kind: 'ddpm', schedule: 'linear', timesteps: 10 } } as const;
    const config = configOf(data);
    expect(() => checkpointOfShared(startOf({ ...config, flow: { ...config.flow, ...ddpm } }))).toThrow(
      'a shared model: flow.objective must be rectified-flow, which it learnt, got ddpm',
    );
  });
});
