import type { Autoencoder } from './autoencoder.ts';
import type { AutoencoderConfig } from './config.ts';
import { autoencoderKL } from './kl.ts';
import { autoencoderTiny } from './tiny.ts';

/**
 * The autoencoder that a config describes.
 * @throws RectiflowError where its sizes do not fit together
 */
export function createAutoencoder(config: AutoencoderConfig): Autoencoder {
  return config.kind === 'kl' ? autoencoderKL(config) : autoencoderTiny(config);
}
