import type { ConfigInput } from '../config/config.ts';

/**
 * Handwritten digits, 28x28: a picture in minutes on the CPU of a laptop. A run this short wants a high learning rate that
 * falls to almost nothing, times drawn where the velocity is hardest to tell, and an average over the last few hundred steps
 * only.
 */
export const digits: ConfigInput = {
  data: { source: 'digits' },
  model: { width: 128, depth: 6, heads: 4, patchSize: 4 },
  flow: { timeSampling: { kind: 'logit-normal', mean: 0, std: 1 }, labelDropout: 0.1 },
  optimizer: { learningRate: 2e-3, betas: [0.9, 0.95], decay: 'cosine', floor: 0.02, clipNorm: 1 },
  ema: { decay: 0.995 },
  train: { steps: 2000, batchSize: 32, sampleEvery: 1000, checkpointEvery: 500 },
  sample: { steps: 50, guidance: 2, perClass: 10 },
};
