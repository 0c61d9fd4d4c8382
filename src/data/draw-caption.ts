import { philoxUniform } from '../tensor/philox.ts';
import { streams } from '../tensor/random-streams.ts';
import type { Captions, ReadKey } from './source.ts';

/** One of a sample's captions, another in another epoch: a function of seed, epoch and index alone. */
export function drawCaption(captions: Captions, { seed, epoch }: ReadKey, index: number): string {
  if (typeof captions === 'string') return captions;
  const draw = { seed, stream: streams.captions, step: epoch, firstSample: index, samples: 1, elements: 1 };
  return captions[Math.floor(philoxUniform(draw)[0]! * captions.length)]!;
}
