import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeSafetensors } from '../../formats/safetensors-file.ts';
import { syncDirectory, writeDurably } from '../../host/durable.ts';
import type { AutoencoderConfig } from '../../models/autoencoders/config.ts';
import { createAutoencoder } from '../../models/autoencoders/create.ts';
import { RectiflowError, fileError, systemProblem, valueError } from '../../tensor/errors.ts';
import type { StoredTensors } from '../../tensor/stored-tensor.ts';
import { toDiffusersConfig } from './diffusers-config.ts';

/**
 * Writes an autoencoder as diffusers does, config.json beside diffusion_pytorch_model.safetensors: the folder is there with all that
 * belongs to it, or not at all.
 * @param weights float32, under our names
 * @throws RectiflowError where the folder is there already, or cannot be written, or weights are missing
 */
export async function writeAutoencoderFiles(
  folder: string,
  { config, weights }: { readonly config: AutoencoderConfig; readonly weights: StoredTensors },
): Promise<void> {
  if (existsSync(folder)) throw fileError(folder, 'is there already', 'Give the name of a new folder');
  const json = `${JSON.stringify(toDiffusersConfig(config), null, 2)}\n`;
  const { parameters } = createAutoencoder(config);
  const missing = parameters.find(({ name }) => !weights.has(name));
  if (missing !== undefined) {
    const wanted = 'those of all parameters of the autoencoder';
    throw valueError('writeAutoencoder', 'weights', wanted, `none for ${missing.name}`);
  }
  const ordered = new Map(parameters.map(({ name }) => [name, weights.get(name)!]));
  const temporary = `${folder}.tmp-${randomUUID()}`;
  try {
    await mkdir(temporary, { recursive: true });
    await writeSafetensors(join(temporary, 'diffusion_pytorch_model.safetensors'), ordered, { format: 'pt' });
    await writeDurably(join(temporary, 'config.json'), [Buffer.from(json)]);
    await syncDirectory(temporary);
    await rename(temporary, folder);
    await syncDirectory(dirname(folder));
  } catch (error) {
    // What could not be made cannot be removed either: the first problem is the one to tell.
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    if (error instanceof RectiflowError) throw error;
    throw fileError(
      folder,
      `cannot be written: ${systemProblem(error)}`,
      'Check the path and the disk',
      error,
    );
  }
}
