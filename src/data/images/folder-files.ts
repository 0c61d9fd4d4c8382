import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { dataError, fileError, systemProblem } from '../../tensor/errors.ts';
import { listSome } from '../list-some.ts';
import { IMAGE_ENDINGS } from './formats.ts';

const IMAGES: ReadonlySet<string> = new Set(IMAGE_ENDINGS.map((ending) => `.${ending}`));

/** Paths relative to the folder, with slashes, in the order of their names. Hidden files are left out. */
export interface FolderFiles {
  readonly images: readonly string[];
  /** Text files, which may hold captions. */
  readonly texts: readonly string[];
  /** Folders directly below. */
  readonly folders: readonly string[];
  /** metadata.jsonl and metadata.csv, where there are. */
  readonly metadata: readonly string[];
}

/**
 * What a folder holds, and the folders below it. Links are followed.
 * @throws RectiflowError where it is missing, no folder, or without images; names what was found
 */
export async function listFolder(path: string): Promise<FolderFiles> {
  const found = await stat(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), 'Set data.path to a folder of images', error);
  });
  if (!found.isDirectory()) {
    const advice = 'Set data.path to the folder, or data.source to shards, parquet, idx or array';
    throw fileError(path, 'is a file, not a folder', advice);
  }
  const files = {
    images: [] as string[],
    texts: [] as string[],
    metadata: [] as string[],
    folders: [] as string[],
  };
  const others = new Map<string, number>();
  for await (const { name, isFolder } of walk(path, '', [])) {
    const extension = extname(name).toLowerCase();
    if (isFolder) {
      if (!name.includes('/')) files.folders.push(name);
    } else if (IMAGES.has(extension)) files.images.push(name);
    else if (name === 'metadata.jsonl' || name === 'metadata.csv') files.metadata.push(name);
    else {
      if (extension === '.txt') files.texts.push(name);
      others.set(extension, (others.get(extension) ?? 0) + 1);
    }
  }
  if (files.images.length === 0) throw withoutImages(path, files.folders, others);
  return files;
}

interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** @param above the real paths of the folders on the way, by which a link that leads back is noticed */
async function* walk(
  root: string,
  below: string,
  above: readonly string[],
): AsyncGenerator<Entry, void, void> {
  const folder = join(root, below);
  const here = await realpath(folder);
  if (above.includes(here)) {
    throw fileError(folder, `is a link back to ${here}, a folder that it lies in`, 'Remove the link');
  }
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw fileError(folder, systemProblem(error), 'Make it readable', error);
  });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    if (entry.name.startsWith('.')) continue;
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    const isFolder = entry.isSymbolicLink() ? await leadsToFolder(join(root, name)) : entry.isDirectory();
    yield { name, isFolder };
    if (isFolder) yield* walk(root, name, [...above, here]);
  }
}

async function leadsToFolder(link: string): Promise<boolean> {
  const target = await stat(link).catch((error: unknown) => {
    throw fileError(
      link,
      `is a link that leads nowhere: ${systemProblem(error)}`,
      'Remove or correct it',
      error,
    );
  });
  return target.isDirectory();
}

function withoutImages(path: string, folders: readonly string[], others: ReadonlyMap<string, number>): Error {
  const kinds = Array.from(others, ([kind, count]) => `${count} ${kind === '' ? 'without extension' : kind}`);
  const found = [
    ...(folders.length > 0 ? [`${folders.length} folders`] : []),
    ...(kinds.length > 0 ? [`other files: ${listSome(kinds)}`] : []),
  ];
  const problem = found.length === 0 ? 'is empty' : `holds no images, only ${found.join(' and ')}`;
  return dataError(path, problem, `Put images into it: ${[...IMAGES].join(' ')}`);
}
