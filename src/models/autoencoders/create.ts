import type { Autoencoder } from './autoencoder.ts';
import type { AutoencoderConfig } from './config.ts';
import { AutoencoderKL } from './kl.ts';
import { AutoencoderTiny } from './tiny.ts';

/**
 * The autoencoder that a config describes.
 * @throws RectiflowError where its sizes do not fit together
 */
export function createAutoencoder(config: AutoencoderConfig): Autoencoder {
  return config.kind === 'kl' ? new AutoencoderKL(config) : new AutoencoderTiny(config);
}
