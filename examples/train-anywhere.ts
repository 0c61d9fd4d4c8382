// Trains a tiny model wherever JavaScript runs: in Node.js, in a worker, in a page. Nothing here knows of files.
import {
  type Backend,
  MemoryStore,
  type SampleGrid,
  type Source,
  type StepMetrics,
  Trainer,
  arraySource,
  assembleTraining,
  completeTraining,
  referenceBackend,
  trainingData,
} from 'rectiflow/core';

/** Grey images of 8x8, black with one white row or column: 16 classes. */
function lines(copies: number): Source {
  const images = new Uint8Array(16 * copies * 64);
  const labels = Array.from({ length: 16 * copies }, (_, image) => image % 16);
  for (const [image, label] of labels.entries()) {
    for (let i = 0; i < 64; i++) {
      const place = label < 8 ? Math.floor(i / 8) : i % 8;
      images[64 * image + i] = place === label % 8 ? 255 : 0;
    }
  }
  return arraySource({ name: 'lines', images, shape: [1, 8, 8], labels });
}

export interface TrainedAnywhere {
  /** Of the steps of this call, and of the samples that are held out. */
  readonly losses: number[];
  readonly heldOutLosses: number[];
  /** The pixels of the last samples that were shown, one row after the other. */
  readonly samples: number[];
}

/**
 * @param store where the run is kept: its last checkpoint is gone on from
 * @param backend what computes; it is disposed of at the end
 */
export async function trainAnywhere(
  steps: number,
  store: MemoryStore = new MemoryStore('lines'),
  backend: Backend = referenceBackend(),
): Promise<TrainedAnywhere> {
  const source = lines(2);
  const config = completeTraining(
    {
      model: {
        kind: 'dit',
        width: 16,
        depth: 1,
        heads: 2,
        patchSize: 4,
        channels: 1,
        imageSize: [8, 8],
        classes: 16,
        timeScale: 1000,
        reverseTime: false,
      },
      optimizer: { learningRate: 1e-3, warmupSteps: 0 },
      train: { steps, batchSize: 8, microBatch: 4, logEvery: 1, checkpointEvery: 10, sampleEvery: 20 },
      sample: { labels: [0, 8], perClass: 2, steps: 4 },
      heldOut: { count: 4, every: 10 },
    },
    source,
  );
  const checkpoint = store.checkpoints.length > 0 ? await store.latest() : undefined;
  const data = await trainingData({ config, source, checkpoint });
  const training = await assembleTraining({ config, backend, data, checkpoint });
  const [losses, heldOutLosses]: [number[], number[]] = [[], []];
  const observer = {
    onStep({ loss, heldOutLoss }: StepMetrics) {
      losses.push(loss);
      if (heldOutLoss !== undefined) heldOutLosses.push(heldOutLoss);
    },
  };
  let samples: number[] = [];
  const shown = {
    write(_step: number, grid: SampleGrid) {
      samples = Array.from(grid.sets[0]!.samples);
      return Promise.resolve({ path: 'shown', pictures: {} });
    },
    has: () => Promise.resolve(samples.length > 0),
  };
  const trainer = await Trainer.open(training, { store, observer, samples: shown });
  await trainer.run();
  await training.dispose();
  await backend.dispose();
  return { losses, heldOutLosses, samples };
}
