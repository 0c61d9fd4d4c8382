// Where the package lies, for files that are not modules: package.json, the native addon, workers.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fileError } from '../tensor/errors.ts';

/** As much of a package.json as is read. */
export interface Manifest {
  readonly name?: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

interface Package {
  /** With a slash at its end. */
  readonly folder: URL;
  readonly manifest: Manifest;
}

const NAME = 'rectiflow';

/**
 * The package by its name: the folder of the first package.json that says it, upwards from a folder, in which or in whose
 * node_modules it lies. How deep modules lie is the bundler's choice, and other package.json may lie between.
 * @throws RectiflowError where there is none
 */
export function findPackage(from: URL): Package {
  for (let folder = from; ; folder = new URL('..', folder)) {
    for (const place of [folder, new URL(`node_modules/${NAME}/`, folder)]) {
      const manifest = readManifest(new URL('package.json', place));
      if (manifest?.name === NAME) return { folder: place, manifest };
    }
    if (folder.pathname === new URL('..', folder).pathname) break;
  }
  const problem = `no package.json of ${NAME} lies in a folder around it`;
  throw fileError(fileURLToPath(from), problem, `Install ${NAME}, and leave it out of bundles`);
}

/** undefined where the file is none, or not there. */
export function readManifest(path: URL | string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
}

const own = findPackage(new URL('.', import.meta.url));

/** The folder of package.json, from any module of src/ or dist/. */
export const packageFolder: URL = own.folder;
/** What package.json says. */
export const packageManifest: Manifest = own.manifest;
