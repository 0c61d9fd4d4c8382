import type { ConfigInput } from '../train/config.ts';

/** Handwritten digits, 28x28: a picture in minutes on the CPU of a laptop. */
export const digits: ConfigInput = {
  data: { source: 'digits' },
  model: { width: 128, depth: 6, heads: 4, patchSize: 4 },
  flow: { labelDropout: 0.1 },
  optimizer: { learningRate: 2e-3, betas: [0.9, 0.95], decay: 'cosine', floor: 0.05, clipNorm: 1 },
  ema: { decay: 0.999 },
  train: { steps: 4000, batchSize: 64, sampleEvery: 500, checkpointEvery: 500 },
  sample: { steps: 50, guidance: 2 },
};
