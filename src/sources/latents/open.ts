// Which layout latents are in: told by what lies in their folder.
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BadSamplePolicy } from '../../data/bad-samples.ts';
import type { Source } from '../../data/source.ts';
import { type FilePool, withPool } from '../../host/file-pool.ts';
import { dataError, fileError, systemProblem } from '../../tensor/errors.ts';
import type { LatentsData } from '../settings.ts';
import { EDM2_LABELS, openEdm2 } from './edm2.ts';
import type { LatentItems } from './items.ts';
import { openKohya } from './kohya.ts';
import { isLightning, openLightning } from './lightning.ts';
import { ENCODING, LATENTS } from './manifest.ts';
import { openMembers } from './members.ts';
import { openEncoded } from './read.ts';
import { type LatentSourceOptions, latentSource } from './source.ts';

/**
 * Opens latents: a folder that `rectiflow data encode` made, the .npz files of kohya's sd-scripts, the shards of LightningDiT, or the
 * .npy files of EDM2 and REPA. Samples are read one by one, so the set may be larger than memory.
 * @throws RectiflowError where the folder holds none of these, or as `latentSource` does
 */
export async function openLatents(
  data: LatentsData,
  onBadSample: BadSamplePolicy,
  options: Omit<LatentSourceOptions, 'data'> = {},
): Promise<Source> {
  return withPool(async (pool) =>
    latentSource(await openItems(data, onBadSample, pool), { ...options, data }),
  );
}

async function openItems(
  { path, size }: LatentsData,
  onBadSample: BadSamplePolicy,
  pool: FilePool,
): Promise<LatentItems> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileError(
      path,
      systemProblem(error),
      `Make them with: rectiflow data encode <config> --autoencoder <path> --out ${path}, or correct data.path`,
      error,
    );
  });
  const isFolder = found.isDirectory();
  if (isFolder && (existsSync(join(path, LATENTS)) || existsSync(join(path, ENCODING))))
    return openEncoded(path, pool);
  const shard = isFolder ? (await readdir(path)).find((name) => name.endsWith('.safetensors')) : undefined;
  if (shard !== undefined && (await isLightning(join(path, shard))))
    return openLightning(path, pool, onBadSample);
  const members = await openMembers(path);
  if (members.names.includes(EDM2_LABELS)) return openEdm2(path, members, onBadSample);
  if (members.names.some((name) => name.endsWith('.npz'))) {
    const sides = typeof size === 'number' ? ([size, size] as const) : size;
    return openKohya(path, members, sides);
  }
  const problem =
    'holds no latents that are known: no latents.json, no .safetensors with a tensor "latents", no dataset.json beside .npy files, no .npz files';
  const advice = `Make them with: rectiflow data encode. A single .npy or .safetensors file of latents is read by data.source array`;
  throw dataError(path, problem, advice);
}
