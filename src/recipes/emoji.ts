import type { ConfigInput } from '../train/config.ts';

const base = {
  model: { width: 192, depth: 8, heads: 6, patchSize: 4 },
  flow: { timeSampling: { kind: 'logit-normal', mean: 0, std: 1 }, labelDropout: 0.1 },
  optimizer: { learningRate: 1e-3, betas: [0.9, 0.95], decay: 'cosine', floor: 0.02, clipNorm: 1 },
  ema: { decay: 0.998 },
  train: { steps: 2800, batchSize: 32, sampleEvery: 700, checkpointEvery: 700 },
} satisfies ConfigInput;

/**
 * Emoji told by their names, 32x32. Of 1,906 pictures, each of them seen some fifty times, a model of this size learns what they
 * look like and mixes what it has seen where a caption asks for something new.
 */
export const emoji: ConfigInput = {
  ...base,
  data: { source: 'emoji', condition: 'caption' },
  model: { ...base.model, text: { width: 192, depth: 2, heads: 6, length: 16 } },
  sample: {
    guidance: 3,
    prompts: [
      'red heart',
      'smiling face with sunglasses',
      'cat face',
      'france flag',
      'slice of pizza',
      'green apple',
      'full moon',
      'clock face three oclock',
    ],
  },
};

/** The same pictures by category: nine kinds that look much more alike inside than between each other. */
export const emojiClasses: ConfigInput = {
  ...base,
  data: { source: 'emoji', condition: 'class' },
  sample: { guidance: 3 },
};
