import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ENCODING, LATENTS } from '../sources/latents/manifest.ts';
import { verifyLatents } from '../sources/latents/verify.ts';
import { verifyPack } from '../sources/pack.ts';
import { PAIRS_MANIFEST } from '../sources/pairs/manifest.ts';
import { verifyPairs } from '../sources/pairs/verify.ts';

/**
 * Reads every file of a folder that `packData`, `encodeData` or `makePairs` made and compares it with its checksum.
 * @throws RectiflowError naming the file that is missing or has changed
 */
export async function verifyData(
  folder: string,
  onProgress?: (doneBytes: number, totalBytes: number) => void,
): Promise<{ readonly count: number; readonly files: number }> {
  if (existsSync(join(folder, PAIRS_MANIFEST))) {
    const { count, files } = await verifyPairs(folder, onProgress);
    return { count, files: files.length };
  }
  if (![LATENTS, ENCODING].some((name) => existsSync(join(folder, name)))) {
    const { count, files } = await verifyPack(folder, onProgress);
    return { count, files: files.length };
  }
  const { count, shards, files } = await verifyLatents(folder, onProgress);
  const captions = shards.filter((shard) => shard.captions).length;
  return { count, files: shards.length + captions + files.length };
}
