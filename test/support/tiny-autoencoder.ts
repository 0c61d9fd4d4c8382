import { arraySource } from '../../src/data/arrays.ts';
import type { Source } from '../../src/data/source.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { randomValues } from './random.ts';

/** A run of an autoencoder on `pictures`: factor 2, latents of 2x4x3. */
export const tinyAutoencoder = {
  name: 'autoencoder',
  data: { source: 'custom' },
  model: { kind: 'autoencoder', latentChannels: 2, blockOutChannels: [4, 8], normGroups: 2, klWeight: 0.01 },
  train: { steps: 12, batchSize: 5, logEvery: 4, sampleEvery: 0, checkpointEvery: 0 },
  optimizer: { learningRate: 1e-3, warmupSteps: 0 },
  ema: { decay: 0.8 },
  sample: { perClass: 3 },
} as const satisfies ConfigInput;

/** 23 grey images of 8x6 in two classes, each of one grey with noise. */
export function pictures(): Source {
  const noise = randomValues(23 * 48, 5);
  return arraySource({
    name: 'pictures',
    images: Float32Array.from(noise, (value, i) => Math.sin(Math.floor(i / 48)) * 0.6 + 0.1 * value),
    shape: [1, 8, 6],
    labels: Array.from({ length: 23 }, (_, i) => i % 2),
  });
}
