// A small set and a model for it, for trainings that several ranks share.
import { arraySource } from '../../src/data/arrays.ts';
import type { Source } from '../../src/data/source.ts';
import { randomValues } from './random.ts';

/** 40 images of 8x8 in three classes. */
export function squares(): Source {
  const images = Float32Array.from(randomValues(40 * 64, 5));
  const labels = Array.from({ length: 40 }, (_, i) => i % 3);
  return arraySource({ name: 'squares', images, shape: [1, 8, 8], labels });
}

/** Of four tokens. */
export const squaresDit = {
  kind: 'dit',
  width: 16,
  depth: 1,
  heads: 2,
  patchSize: 4,
  channels: 1,
  imageSize: [8, 8],
  classes: 3,
  timeScale: 1000,
  reverseTime: false,
} as const;
