import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type KeptFolder, filesIn } from '../../src/kept/folder.ts';
import { runFolders } from '../../src/kept/layout.ts';

/** Writes the files of a run into a folder of the disk, as unzipping them does. */
export async function toDisk(folder: KeptFolder, to: string): Promise<string> {
  for (const name of runFolders) await mkdir(join(to, name), { recursive: true });
  for (const file of await filesIn(folder)) {
    await mkdir(dirname(join(to, file)), { recursive: true });
    await writeFile(join(to, file), (await folder.read(file))!);
  }
  return to;
}
