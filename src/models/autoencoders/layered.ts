// An autoencoder whose encoder and decoder are stretches of layers.
import type { Tensor } from '../../tensor/tensor.ts';
import { type Autoencoder, type Posterior, checkImageShape } from './autoencoder.ts';
import { type ResolvedAutoencoderConfig, factorOf } from './config.ts';
import type { Layer } from './layers.ts';
import { applyParts, costOfParts, partsOf } from './parts.ts';

export interface Halves {
  readonly encoder: readonly Layer[];
  readonly decoder: readonly Layer[];
  /** What the last value of the encoder says of the latents. */
  posterior(encoded: Tensor): Posterior;
}

export function layeredAutoencoder(
  config: ResolvedAutoencoderConfig,
  { encoder, decoder, posterior }: Halves,
): Autoencoder {
  const { imageChannels, latentChannels, scaling } = config;
  const factor = factorOf(config);
  const parts = {
    encode: partsOf(encoder, { channels: imageChannels, scale: factor }),
    decode: partsOf(decoder, { channels: latentChannels, scale: 1 }),
  };
  return {
    imageChannels,
    latentChannels,
    factor,
    scaling,
    parts,
    parameters: [...parts.encode, ...parts.decode].flatMap(({ parameters }) => parameters),
    posterior,
    encode: (params, images) => posterior(applyParts(parts.encode, params, images)),
    decode: (params, latents) => applyParts(parts.decode, params, latents),
    cost: (imageShape) => ({
      encode: costOfParts(parts.encode, imageShape, factor),
      decode: costOfParts(parts.decode, imageShape, factor),
    }),
    checkShape: (imageShape) => checkImageShape({ imageChannels, factor }, imageShape),
  };
}
