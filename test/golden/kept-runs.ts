// The runs whose checkpoints are kept of each version: what they train on, and how. Those of versions past go on with this data, so
// that what is here stays as it is; a version with more to keep adds a run.
import { join } from 'node:path';
import {
  type ConfigInput,
  type Precision,
  type Source,
  arraySource,
  openExpression,
  writeExpression,
} from '../../src/index.ts';
import { randomValues } from '../support/random.ts';

export interface KeptRun {
  readonly config: ConfigInput;
  readonly precision: Precision;
  /** @param folder to write to where the data are a file */
  source(folder: string): Source | Promise<Source>;
}

/** The runs are stopped after `stopped` of their steps. */
export const stopped = 4;
export const steps = 8;

const model = { width: 8, depth: 1, heads: 2 } as const;
const train = { steps, batchSize: 4, logEvery: 1, sampleEvery: 0, checkpointEvery: 0 } as const;
const config = {
  seed: 7,
  data: { source: 'custom' },
  optimizer: { learningRate: 3e-3 },
  sample: { steps: 2, perClass: 1 },
} as const;

/** 17 images of 4x8, a number that no batch divides. */
const shape = [1, 4, 8] as const;
const images = Float32Array.from(randomValues(17 * 32, 3));

/** Labels, gradients of micro-batches that are clipped, averages of all kinds, held-out samples. */
const byClass: KeptRun = {
  config: {
    ...config,
    name: 'classes',
    model: { ...model, patchSize: 4 },
    optimizer: { ...config.optimizer, clipNorm: 0.5, weightDecay: 0.01 },
    train: { ...train, microBatch: 2 },
    ema: { decays: [0.9], power: [0.1], snapshotEvery: 2 },
    heldOut: { count: 4, every: 3 },
    sample: { ...config.sample, sampler: 'heun', guidance: 2 },
  },
  precision: 'fp32',
  source: () =>
    arraySource({
      name: 'images with labels',
      images,
      shape,
      labels: Array.from({ length: 17 }, (_, i) => i % 3),
      classNames: ['one', 'two', 'three'],
    }),
};

/** A tokenizer that is learnt, and a text encoder that is trained. */
const byCaption: KeptRun = {
  config: {
    ...config,
    name: 'captions',
    model: {
      ...model,
      patchSize: 4,
      text: { width: 4, depth: 1, heads: 1, length: 8, vocabulary: 518 },
    },
    optimizer: { ...config.optimizer, weightDecay: 0.1, decayed: 'matrices' },
    flow: { timeSampling: { kind: 'logit-normal', stratified: true, shift: 2 } },
    train,
  },
  precision: 'fp32',
  source: () => {
    const captions = ['red square', 'green square', 'pale blue square'];
    const caption = (index: number): string => captions[index % 3]!;
    const source = arraySource({ name: 'images with captions', images, shape });
    return {
      ...source,
      captions: true,
      caption,
      async read(index, ...rest) {
        return { ...(await source.read(index, ...rest)), caption: caption(index) };
      },
    };
  },
};

const genes = ['CD3', 'CD19', 'LYZ', 'NKG7', 'ACTB'];
/** 20 cells: the first genes tell the two classes apart. */
const cells = Array.from({ length: 20 }, (_, cell) => cell % 2);
const counts = Float32Array.from(randomValues(100, 4), (value, i) => {
  const strong = i % 5 === cells[Math.floor(i / 5)] || i % 5 === 4;
  return Math.floor((strong ? 12 : 1.4) * Math.abs(value));
});

/** Values that are normalised, and genes and totals that are known by the checkpoint. */
const ofCells: KeptRun = {
  config: {
    ...config,
    name: 'cells',
    model: { ...model, groupSize: 2 },
    flow: { lossWeighting: { kind: 'min-snr' } },
    train,
  },
  precision: 'fp32',
  async source(folder) {
    const path = join(folder, 'cells.h5ad');
    await writeExpression(path, {
      genes,
      values: counts,
      classes: { column: 'kind', names: ['T', 'B'], labels: cells },
    });
    return openExpression({
      source: 'expression',
      path,
      layer: 'X',
      label: 'kind',
      normalize: 'auto',
      target: 20,
      variableGenes: 0,
      scaleGenes: true,
      holdOut: 0,
      split: 'train',
    });
  },
};

/** The other objective, in bf16. */
const byDiffusion: KeptRun = {
  ...byClass,
  config: {
    ...config,
    name: 'ddpm',
    model: { ...model, patchSize: 4 },
    flow: { objective: { kind: 'ddpm', schedule: 'cosine', timesteps: 50 } },
    train,
    sample: { ...config.sample, sampler: 'ancestral' },
  },
  precision: 'bf16',
};

/** No labels, and a loss scale that overflows at first, so that steps are skipped. */
const inHalf: KeptRun = {
  config: {
    ...config,
    name: 'fp16',
    model: { ...model, patchSize: 4 },
    train: {
      ...train,
      memory: 'recompute',
      lossScaling: { initial: 2 ** 36, backOff: 2 ** -9, growth: 4, growthInterval: 3 },
    },
    ema: { decay: 0.99, ramp: false },
  },
  precision: 'fp16',
  source: () => arraySource({ name: 'images', images, shape }),
};

export const keptRuns: Readonly<Record<string, KeptRun>> = {
  classes: byClass,
  captions: byCaption,
  cells: ofCells,
  ddpm: byDiffusion,
  fp16: inHalf,
};
