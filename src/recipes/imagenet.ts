import type { ConfigInput } from '../config/config.ts';

/**
 * ImageNet by class at 256x256, as large as the DiT paper's largest: for one fast GPU or several, and weeks. Images become squares as
 * in ADM: the shorter side to 256, antialiased, then the middle; each is mirrored in half of the epochs. What does not fit into the
 * memory at once is computed in parts. The grid shows the classes that the paper shows; one damaged file of a million ends no such run.
 */
export const imagenet: ConfigInput = {
  data: {
    source: 'folder',
    condition: 'class',
    transforms: [
      { kind: 'resize', size: 256 },
      { kind: 'center-crop', size: 256 },
      { kind: 'horizontal-flip', probability: 0.5 },
    ],
  },
  loader: { workers: 8, onBadSample: 'skip' },
  model: { preset: 'DiT-XL/8' },
  flow: { timeSampling: { kind: 'logit-normal', mean: 0, std: 1 }, labelDropout: 0.1 },
  optimizer: { learningRate: 1e-4, warmupSteps: 5000, decay: 'constant', clipNorm: 1 },
  ema: { decay: 0.9999 },
  train: {
    steps: 400_000,
    batchSize: 2048,
    microBatch: 'auto',
    precision: 'auto',
    logEvery: 100,
    sampleEvery: 10_000,
    checkpointEvery: 5000,
  },
  sample: { steps: 50, guidance: 4, perClass: 4, labels: [207, 360, 387, 974, 88, 979, 417, 279] },
};
