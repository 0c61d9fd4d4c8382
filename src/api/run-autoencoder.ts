// The autoencoder of a run on latents, which the run keeps in its folder: its samples mean nothing without it.
import { existsSync } from 'node:fs';
import { copyFile, link, mkdir, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { DataConfig } from '../sources/settings.ts';
import { AUTOENCODER, LATENTS } from '../sources/latents/manifest.ts';
import { replaceFolder } from '../host/durable.ts';
import { type ReadAutoencoder, writeAutoencoder } from './autoencoder.ts';

/** The one that a run has kept; undefined where it has none. */
export function keptAutoencoder(run: string): string | undefined {
  const path = join(run, AUTOENCODER);
  return existsSync(path) ? path : undefined;
}

/** The one that data come with, or that their settings name; undefined of data that are no latents, or where nothing tells. */
export function autoencoderOfData(data: DataConfig): string | undefined {
  if (data.source === 'array') return data.autoencoder;
  return data.source === 'latents' ? (data.autoencoder ?? keptAutoencoder(data.path)) : undefined;
}

/** Writes an autoencoder into the folder of a run, in place of one that is there; that of a set of latents is linked. */
export async function keepAutoencoder(
  autoencoder: Pick<ReadAutoencoder, 'config' | 'weights' | 'path'>,
  run: string,
): Promise<void> {
  const { path } = autoencoder;
  if (path === join(run, AUTOENCODER)) return;
  if (basename(path) === AUTOENCODER && existsSync(join(dirname(path), LATENTS)))
    return copyAutoencoder(path, run);
  await replaceFolder(join(run, AUTOENCODER), (folder) => writeAutoencoder(folder, autoencoder));
}

/** As `keepAutoencoder`, of one that is kept elsewhere in the same form: its files are linked where the disk is the same. */
export async function copyAutoencoder(from: string, run: string): Promise<void> {
  await replaceFolder(join(run, AUTOENCODER), async (folder) => {
    await mkdir(folder);
    for (const name of await readdir(from)) {
      const [source, target] = [join(from, name), join(folder, name)];
      await link(source, target).catch(() => copyFile(source, target));
    }
  });
}
