// Many small files in a folder or in a zip archive, which are read in the same way.
import { type Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { type OpenFile, readZipDirectory, readZipEntry } from '../../formats/pytorch/zip.ts';
import { withFile } from '../../host/read-file.ts';
import { readRegular } from '../../host/regular-file.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';

/** More files than any set of images has. */
const MOST_MEMBERS = 20_000_000;
/** Of one file: latents of a picture of 8192x8192 take less. */
const MOST_BYTES = 1 << 30;

export interface Members {
  /** With slashes, relative to the folder, in the order of their names. */
  readonly names: readonly string[];
  /** How people call a member. */
  path(name: string): string;
  /** @throws RectiflowError naming the member, where it cannot be read */
  read(name: string): Promise<Uint8Array>;
}

/** @throws RectiflowError naming the folder or archive that cannot be read */
export async function openMembers(path: string): Promise<Members> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), 'Check the path', error);
  });
  return found.isDirectory() ? openFolder(path) : openZip(path);
}

async function openFolder(folder: string): Promise<Members> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: unknown): Dirent[] => {
      throw fileError(folder, systemProblem(error), 'Check the path', error);
    },
  );
  const names = entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => !name.split('/').some((part) => part.startsWith('.')));
  const path = (name: string): string => join(folder, name);
  return {
    names: names.toSorted(),
    path,
    read: (name) =>
      readRegular(path(name), MOST_BYTES).catch((error: unknown) => {
        throw fileError(path(name), systemProblem(error), 'Put it back, or start again without it', error);
      }),
  };
}

async function openZip(path: string): Promise<Members> {
  const withArchive = <T>(use: (archive: OpenFile) => Promise<T>): Promise<T> =>
    withFile(path, async (file) => {
      const { size: bytes } = await file.stat();
      return use({ file, path, bytes, advice: 'The archive is damaged: copy it again', most: MOST_MEMBERS });
    });
  const entries = await withArchive(readZipDirectory);
  return {
    names: [...entries.keys()].filter((name) => !name.endsWith('/')).toSorted(),
    path: (name) => `${path}: ${name}`,
    read: (name) => withArchive((archive) => readZipEntry(archive, entries.get(name)!)),
  };
}
