import { readFile, writeFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { unzipSync } from 'fflate';

/** Unpacks a zip. @param zip its path, or its bytes @returns the folder */
export async function writeZip(zip: string | Uint8Array, to: string): Promise<string> {
  const files = unzipSync(typeof zip === 'string' ? await readFile(zip) : zip);
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(to, name);
    await mkdir(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (!name.endsWith('/')) await writeFile(path, bytes);
  }
  return to;
}
