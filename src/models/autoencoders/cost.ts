import type { Shape } from '../../tensor/shape.ts';
import type { Autoencoder, AutoencoderCost, Reach } from './autoencoder.ts';
import type { Layer, Passage } from './layers.ts';

type Sizes = Pick<Autoencoder, 'imageChannels' | 'latentChannels' | 'factor'>;

const begin = { cost: 0, step: 1, reach: 0 };

/** What encoder and decoder cost for one picture of this shape, [C, H, W]. */
export function costOfLayers(
  { latentChannels, factor }: Sizes,
  [channels, height, width]: Shape,
  encoder: Layer,
  decoder: Layer,
): AutoencoderCost {
  const image: Passage = { channels: channels!, height: height!, width: width!, ...begin };
  const latent: Passage = {
    channels: latentChannels,
    height: height! / factor,
    width: width! / factor,
    ...begin,
  };
  return { encode: encoder.follow(image).cost, decode: decoder.follow(latent).cost };
}

/** How far pixels see, in whole latent pixels; undefined where all of a picture meets. */
export function reachOfLayers(
  { imageChannels, latentChannels, factor }: Sizes,
  encoder: Layer,
  decoder: Layer,
): Reach | undefined {
  const sides = { height: factor, width: factor, ...begin };
  const encode = Math.ceil(encoder.follow({ channels: imageChannels, ...sides }).reach / factor);
  const decode = Math.ceil(decoder.follow({ channels: latentChannels, ...sides }).reach);
  return Number.isFinite(encode + decode) ? { encode, decode } : undefined;
}
