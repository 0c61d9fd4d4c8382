import { describe, expect, it } from 'vitest';
import {
  arraySource,
  assembleTraining,
  completeTraining,
  MemoryStore,
  referenceBackend,
  Trainer,
  trainingData,
} from '../../src/core.ts';
import type { RunLog, Source, StepMetrics, TrainResult } from '../../src/core.ts';
import { inMemory } from '../../src/train/run-store.ts';
import type { SampleGrid } from '../../src/train/sample-grid.ts';

const shape = [1, 4, 4] as const;

/** Twelve images in three classes. @param bad an epoch in which one of them holds NaN */
function squares(bad?: number): Source {
  const images = Float32Array.from({ length: 12 * 16 }, (_, i) => Math.sin(i));
  const labels = Array.from({ length: 12 }, (_, i) => i % 3);
  const source = arraySource({ name: 'squares', images, shape, labels });
  return {
    ...source,
    read(index, out, offset, key) {
      const annotation = source.read(index, out, offset, key);
      if (index === 5 && key.epoch === bad) out[offset] = NaN;
      return annotation;
    },
  };
}

interface Trained {
  readonly losses: readonly number[];
  readonly notices: readonly string[];
  readonly result: TrainResult;
}

async function train(
  source: Source,
  { steps, store, signalAt = Infinity }: { steps: number; store: MemoryStore; signalAt?: number },
  host: { log?: RunLog; shown?: SampleGrid[] } = {},
): Promise<Trained> {
  const config = completeTraining(
    {
      model: {
        kind: 'dit',
        width: 8,
        depth: 1,
        heads: 2,
        patchSize: 2,
        channels: 1,
        imageSize: [4, 4],
        classes: 3,
        timeScale: 1000,
        reverseTime: false,
      },
      train: {
        steps,
        batchSize: 4,
        logEvery: 1,
        checkpointEvery: 5,
        sampleEvery: host.shown ? 10 : 0,
        badSteps: { rollBackAfter: 1, window: 10, stopAfter: 2 },
      },
      sample: { steps: 2, perClass: 2, labels: [0, 2] },
      ema: { power: [0.1], snapshotEvery: 5 },
      optimizer: { warmupSteps: 0 },
    },
    source,
  );
  const checkpoint = store.checkpoints.length > 0 ? await store.latest() : undefined;
  const data = await trainingData({ config, source, checkpoint });
  const training = await assembleTraining({ config, backend: referenceBackend(), data, checkpoint });
  const [losses, notices]: [number[], string[]] = [[], []];
  const stop = new AbortController();
  const observer = {
    onStep({ step, loss }: StepMetrics) {
      losses.push(loss);
      if (step === signalAt) stop.abort();
    },
    onNotice: (text: string) => notices.push(text),
  };
  const { log, shown } = host;
  const samples = shown && {
    write: async (step: number, grid: SampleGrid) => {
      shown.push(grid);
      return { path: `step ${step}`, pictures: { grid: `step ${step}` } };
    },
    has: async (step: number) => step === 10 && shown.length > 0,
  };
  const trainer = await Trainer.open(training, { store, log, samples, observer });
  return { losses, notices, result: await trainer.run(stop.signal) };
}

describe('a run that is kept in memory', () => {
  it('goes on from its last checkpoint as if it had not stopped', async () => {
    const whole = await train(squares(), { steps: 12, store: new MemoryStore() });
    const store = new MemoryStore('squares');
    const before = await train(squares(), { steps: 12, store, signalAt: 7 });
    expect(before.result).toMatchObject({ run: 'squares', finished: false, checkpoint: 'squares, step 7' });
    // Elsewhere: what was kept survives being copied.
    const moved = new MemoryStore('squares', structuredClone(store.checkpoints));
    const after = await train(squares(), { steps: 12, store: moved });
    expect([...before.losses, ...after.losses]).toEqual(whole.losses);
    expect(after.result).toMatchObject({ step: 12, finished: true });
  });

  it('goes back to it after a bad step, and tells of it', async () => {
    const store = new MemoryStore('squares');
    const { notices, result } = await train(squares(2), { steps: 12, store });
    expect(result).toMatchObject({ step: 12, finished: true });
    expect(notices.join()).toMatch(/training went back from step \d to the checkpoint of step 5/);
    expect(store.badSteps).toMatchObject([
      { loss: NaN, finding: expect.stringMatching(/sample 5 of squares/) },
    ]);
    expect([...store.averages.keys()]).toEqual([5, 10]);
  });

  it('keeps as many checkpoints as it is told, and copies of their tensors', async () => {
    const store = new MemoryStore();
    await train(squares(), { steps: 25, store });
    expect(store.checkpoints.map(({ step }) => step)).toEqual([15, 20, 25]);
    const [first, second] = store.checkpoints.map(
      ({ model }) => model.get('final_layer.linear.weight')!.data,
    );
    expect(first).not.toEqual(second);
  });

  it('drops averages of steps that a training has left', async () => {
    const store = new MemoryStore();
    const data = Float32Array.of(1, 2);
    const averages = inMemory('averages', new Map([['ema.p0.1/w', { dtype: 'F32', shape: [2], data }]]));
    for (const step of [5, 7]) await store.storeAverages(step, step, averages);
    await train(squares(), { steps: 1, store });
    expect([...store.averages.keys()]).toEqual([]);
    data.set([3, 4]);
    await store.storeAverages(5, 4, averages);
    data.set([5, 6]);
    await store.dropLaterAverages(5);
    expect(store.averages.get(5)).toEqual({
      updates: 4,
      tensors: new Map([['ema.p0.1/w', { dtype: 'F32', shape: [2], data: Float32Array.of(3, 4) }]]),
    });
  });

  it('refuses pieces of tensors, which ranks have of them', async () => {
    const store = new MemoryStore();
    const piece = { dtype: 'F32', shape: [4], start: 2, data: Float32Array.of(1, 2) } as const;
    const message =
      'MemoryStore: w must be a whole tensor of shape [4], got a piece of 2 values from value 2 on. ' +
      'Ranks that train together keep their run in a folder.';
    const w = new Map([['w', piece]]);
    const checkpoint = { model: w, ema: w, optimizer: w, step: 1, state: {} };
    await expect(store.save(checkpoint, { keepCheckpoints: 1, keepEvery: 0 })).rejects.toThrow(message);
    await expect(store.storeAverages(1, 1, inMemory('averages', w))).rejects.toThrow(message);
    expect([store.checkpoints, store.averages.size]).toEqual([[], 0]);
  });

  it('has nothing to go on from before its first checkpoint', async () => {
    await expect(new MemoryStore('new').latest()).rejects.toThrow(/^new: there is no checkpoint yet/);
  });
});

describe('what a training is handed', () => {
  it('is told of steps, pictures and its end; samples are numbers to be shown', async () => {
    const told: string[] = [];
    const shown: SampleGrid[] = [];
    const log: RunLog = {
      append: async ({ step, memory }) => void told.push(`step ${step}, memory ${memory}`),
      image: (step, tag, path) => told.push(`${tag} of ${step}: ${path}`),
      sync: async () => void told.push('sync'),
      close: async (outcome) => void told.push(outcome),
    };
    const { result } = await train(squares(), { steps: 10, store: new MemoryStore() }, { log, shown });
    expect(told.filter((line) => line.startsWith('step'))).toHaveLength(10);
    expect(told).toContain('step 10, memory undefined');
    expect(told.slice(-2)).toEqual(['grid of 10: step 10', 'finished']);
    expect(result.samples).toBe('step 10');
    expect(shown).toHaveLength(1);
    const [grid] = shown;
    expect(grid).toMatchObject({ shape, columns: 2, rows: ['class 0', 'class 2'] });
    expect(grid!.sets.map(({ weights, samples }) => [weights, samples.length])).toEqual([
      ['ema', 4 * 16],
      ['model', 4 * 16],
    ]);
    expect(grid!.path.samples).toHaveLength(2 * grid!.path.columns.length * 16);
  });

  it('shows nothing of samples that are no pictures', async () => {
    const shown: SampleGrid[] = [];
    const latents: Source = { ...squares(), record: { kind: 'latents' } };
    const { result } = await train(latents, { steps: 10, store: new MemoryStore() }, { shown });
    expect({ shown, samples: result.samples }).toEqual({ shown: [], samples: undefined });
  });
});
