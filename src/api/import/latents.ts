// What is told of the latents that weights were trained on.
import type { LatentScale } from '../../tensor/latent-scale.ts';
import type { DiTSizes } from '../../interop/dit-weights.ts';
import { standardized } from '../../sources/latents/channel-sums.ts';
import { readStatistics } from '../../sources/latents/statistics-file.ts';
import { counted } from '../../tensor/counted.ts';
import { fileError } from '../../tensor/errors.ts';
import { type ReadAutoencoder, readAutoencoder } from '../autoencoder.ts';
import type { ImportOptions } from './options.ts';

/** @throws RectiflowError where it makes latents of other channels than the model's */
export async function namedAutoencoder(
  { channels }: DiTSizes,
  path: string,
  { autoencoder, onNotice }: ImportOptions,
): Promise<ReadAutoencoder | undefined> {
  if (autoencoder === undefined) return undefined;
  const read = await readAutoencoder(autoencoder, { onNotice });
  const { latentChannels } = read.autoencoder;
  if (latentChannels === channels) return read;
  const problem = `makes latents of ${counted(latentChannels, 'channel')}, the model of ${path} learns ${channels}`;
  throw fileError(autoencoder, problem, 'Give the autoencoder that the model was trained with');
}

/** As the options tell; undefined where they do not. */
export async function latentScale(
  { channels }: DiTSizes,
  { latents, latentStatistics: path }: ImportOptions,
): Promise<LatentScale | undefined> {
  if (path === undefined) return latents;
  if (latents !== undefined) {
    const problem = 'is given beside a scale of latents: it says one of each channel';
    throw fileError(path, problem, 'Give one of the two');
  }
  const statistics = await readStatistics(path, channels, 'Give the one that the model was trained with');
  return standardized(statistics);
}
