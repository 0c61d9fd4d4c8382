import type { ConfigInput } from '../config/config.ts';
import { emoji } from './emoji.ts';

/**
 * An autoencoder of emoji, 64x64 to latents of 16x16 with 4 channels: a twelfth of the numbers. Narrow where the pictures are large, which is
 * where its time goes. Names are not told to it, and stay with the latents.
 */
export const emojiAutoencoder: ConfigInput = {
  data: { source: 'emoji', condition: 'caption', size: 64 },
  model: { kind: 'autoencoder', latentChannels: 4, blockOutChannels: [16, 32, 64] },
  optimizer: {
    learningRate: 2e-3,
    betas: [0.9, 0.95],
    warmupSteps: 50,
    decay: 'cosine',
    floor: 0.02,
    clipNorm: 1,
  },
  ema: { decay: 0.99 },
  train: { steps: 1400, batchSize: 16, sampleEvery: 350, checkpointEvery: 350 },
  heldOut: { count: 96, every: 350 },
};

/** The model of the recipe emoji, which has as many tokens to look at, in latents of pictures with four times the pixels. */
export const emojiLatents: ConfigInput = {
  ...emoji,
  data: { source: 'latents', path: 'emoji-latents' },
  model: { ...emoji.model, patchSize: 2 },
};
