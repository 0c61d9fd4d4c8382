// A training of two classes of small pictures, in a folder that any host may have.
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { type KeptConfig, keptConfig } from '../../src/kept/config.ts';
import { type RunData, runData } from '../../src/kept/data.ts';
import { keptNotes } from '../../src/kept/notes.ts';
import { KeptRun } from '../../src/kept/run.ts';
import { completeTraining } from '../../src/train/complete.ts';
import { assembleTraining } from '../../src/train/prepare.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { trainingData } from '../../src/train/training-data.ts';
import { type TrainingInput } from '../../src/train/complete.ts';

export const here = {
  version: '0.1.0',
  machine: {
    host: 'a browser',
    platform: 'Linux',
    arch: 'unknown',
    node: 'none',
    cpu: 'unknown',
    cores: 2,
    memory: 0,
  },
};

/** 14 pictures of 8x8, of which every second is mostly dark, in two classes. */
export function pictures(): RunData {
  const images = Uint8Array.from(
    { length: 14 * 64 },
    (_, i) => ((i * 31) % 100) + (Math.floor(i / 64) % 2) * 120,
  );
  const labels = Array.from({ length: 14 }, (_, i) => i % 2);
  return runData({ images, shape: [1, 8, 8], labels, classNames: ['dark', 'bright'], name: 'pictures' });
}

export function configOf(data: RunData, more: Partial<TrainingInput> = {}, name = 'kept'): KeptConfig {
  const training = completeTraining(
    {
      model: {
        kind: 'dit',
        width: 16,
        depth: 1,
        heads: 2,
        patchSize: 4,
        channels: 1,
        imageSize: [8, 8],
        classes: 2,
        timeScale: 1000,
        reverseTime: false,
      },
      optimizer: { learningRate: 1e-3, warmupSteps: 0 },
      heldOut: { count: 2, every: 6 },
      sample: { steps: 2, perClass: 1 },
      ...more,
      train: { steps: 12, batchSize: 5, logEvery: 1, checkpointEvery: 3, sampleEvery: 6, ...more.train },
    },
    data.source,
  );
  return keptConfig(training, { name, data: data.settings, precision: 'fp32' });
}

/** Trains a run from where it is up to a step, as a page does. @returns its notices */
export async function trainKept(
  run: KeptRun,
  until: number,
  backend: Backend = referenceBackend(),
): Promise<string[]> {
  const notices: string[] = [];
  const onNotice = (text: string): void => void notices.push(text);
  const { config } = run;
  const { source } = await run.data();
  const begun = (await run.checkpoints()).length > 0;
  const checkpoint = begun ? await run.latest(({ message }) => onNotice(message)) : undefined;
  const data = await trainingData({ config, source, checkpoint });
  const training = await assembleTraining({ config, backend, data, checkpoint, onNotice });
  const notes = await keptNotes(training, source);
  const stop = new AbortController();
  const observer = {
    onNotice,
    onStep({ step }: { readonly step: number }) {
      if (step === until && step < config.train.steps) stop.abort();
    },
  };
  const log = await run.log(checkpoint?.step ?? 0, onNotice);
  const samples = run.samples(async ({ sets }) => ({
    grid: new Uint8Array(sets[0]!.samples.buffer.slice(0, 8)),
  }));
  const trainer = await Trainer.open({ ...training, notes }, { store: run, log, samples, observer });
  await trainer.run(stop.signal);
  await training.dispose();
  return notices;
}
