import { join } from 'node:path';
import { verifyFiles } from '../pack/verify-files.ts';
import { type LatentsManifest, readLatentsManifest } from './manifest.ts';

/**
 * Reads every file of a folder of latents and compares it with its checksum.
 * @throws RectiflowError naming the file that is missing or has changed
 */
export async function verifyLatents(
  folder: string,
  onProgress?: (doneBytes: number, totalBytes: number) => void,
): Promise<LatentsManifest> {
  const manifest = await readLatentsManifest(folder);
  const { shards, files } = manifest;
  const all = [...shards.flatMap((shard) => [shard, ...(shard.captions ? [shard.captions] : [])]), ...files];
  const advice = 'Encode the images again: rectiflow data encode';
  await verifyFiles(
    all.map(({ name, ...digest }) => ({ path: join(folder, name), ...digest })),
    advice,
    onProgress,
  );
  return manifest;
}
