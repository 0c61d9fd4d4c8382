// The folder of a shared model, as files for what reads them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST, type ShareManifest } from '../../src/share/manifest.ts';
import type { ReadFile } from '../../src/share/read.ts';

export function filesOf(folder: string): ReadFile {
  return async (file, onBytes) => {
    const bytes = Uint8Array.from(await readFile(join(folder, file)));
    onBytes?.(bytes.length);
    return bytes.buffer;
  };
}

export async function manifestOf(folder: string): Promise<ShareManifest> {
  return JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')) as ShareManifest;
}
