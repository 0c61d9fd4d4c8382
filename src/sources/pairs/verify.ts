import { join } from 'node:path';
import { digestFile } from '../../host/durable.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import {
  MAKE_AGAIN,
  PAIRS_MANIFEST,
  type PairsManifest,
  type PairsShard,
  readPairsManifest,
} from './manifest.ts';

/**
 * Reads every file of a folder of pairs and compares it with its checksum.
 * @throws RectiflowError naming the file that is missing or has changed
 */
export async function verifyPairs(
  folder: string,
  onProgress?: (doneBytes: number, totalBytes: number) => void,
): Promise<PairsManifest> {
  const manifest = await readPairsManifest(folder);
  if (manifest === undefined)
    throw fileError(folder, `is a folder without ${PAIRS_MANIFEST}`, 'Check the path');
  const total = manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const shard of manifest.files) {
    const problem = await damageOf(folder, shard);
    if (problem !== undefined) throw fileError(join(folder, shard.name), problem, MAKE_AGAIN);
    done += shard.bytes;
    onProgress?.(done, total);
  }
  return manifest;
}

/** What is wrong with a shard on the disk; undefined where it is as it was written. */
export async function damageOf(
  folder: string,
  { name, bytes, sha256 }: PairsShard,
): Promise<string | undefined> {
  const path = join(folder, name);
  try {
    const found = await digestFile(path);
    if (found.bytes !== bytes) return `has ${found.bytes} bytes, ${bytes} were written`;
    return found.sha256 === sha256
      ? undefined
      : `has changed: SHA-256 must be ${sha256}, found ${found.sha256}`;
  } catch (error) {
    return systemProblem(error);
  }
}
