import type { ConfigInput } from '../train/config.ts';

/** Emoji told by their names, 32x32. */
export const emoji: ConfigInput = {
  data: { source: 'emoji', condition: 'caption' },
  model: {
    width: 192,
    depth: 8,
    heads: 6,
    patchSize: 4,
    text: { width: 192, depth: 2, heads: 6, length: 20 },
  },
  flow: { timeSampling: { kind: 'logit-normal', mean: 0, std: 1 }, labelDropout: 0.1 },
  optimizer: { learningRate: 1e-3, betas: [0.9, 0.95], decay: 'cosine', floor: 0.02, clipNorm: 1 },
  ema: { decay: 0.998 },
  train: { steps: 4000, batchSize: 32, sampleEvery: 1000, checkpointEvery: 1000 },
  sample: {
    steps: 50,
    guidance: 3,
    perClass: 8,
    prompts: [
      'red heart',
      'smiling face with sunglasses',
      'flag of france',
      'cat face',
      'pizza',
      'full moon',
      'green apple',
      'clock face three oclock',
    ],
  },
};
