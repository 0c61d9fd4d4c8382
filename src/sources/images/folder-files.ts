import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join, posix } from 'node:path';
import { counted } from '../../tensor/counted.ts';
import { dataError, fileError, systemProblem } from '../../tensor/errors.ts';
import { listSome } from '../../data/list-some.ts';
import { IMAGE_ENDINGS } from './formats.ts';
import { unreadFormatOf } from './unread-formats.ts';

const IMAGES: ReadonlySet<string> = new Set(IMAGE_ENDINGS.map((ending) => `.${ending}`));

/** Folders in which archives of macOS and disks of Synology keep what they know of files, thumbnails among them. */
const OF_SYSTEMS: ReadonlySet<string> = new Set(['__MACOSX', '@eaDir']);

const METADATA = /^metadata\.(jsonl|csv|parquet)$/i;

/** Paths relative to the folder, with slashes, in the order of their names. */
export interface FolderFiles {
  readonly images: readonly string[];
  /** metadata.jsonl, .csv and .parquet, here and in the folders below. */
  readonly metadata: readonly string[];
  /** All others but hidden ones. */
  readonly others: readonly string[];
  /** Folders directly below. */
  readonly folders: readonly string[];
  /** Images whose name, or whose folder's, begins with a dot, or that a system keeps for itself: they are left out. */
  readonly hidden: readonly string[];
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
    metadata: [] as string[],
    others: [] as string[],
    folders: [] as string[],
    hidden: [] as string[],
  };
  for await (const { name, kind } of walk(path, '', [])) {
    const isImage = IMAGES.has(extname(name).toLowerCase());
    if (kind === 'folder') {
      if (!name.includes('/')) files.folders.push(name);
    } else if (kind === 'hidden') {
      // Beside each file, macOS keeps what it knows of it in one whose name begins so.
      if (isImage && !posix.basename(name).startsWith('._')) files.hidden.push(name);
    } else if (isImage) files.images.push(name);
    else if (METADATA.test(posix.basename(name))) files.metadata.push(name);
    else files.others.push(name);
  }
  if (files.images.length === 0) throw withoutImages(path, files);
  return files;
}

interface Entry {
  readonly name: string;
  /** hidden: a file that is, or that lies in a folder that is. */
  readonly kind: 'file' | 'folder' | 'hidden';
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
  for (const entry of await entriesOf(folder)) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.name.startsWith('.') || OF_SYSTEMS.has(entry.name)) {
      yield* hiddenFiles(root, name, entry);
      continue;
    }
    const isFolder = entry.isSymbolicLink() ? await leadsToFolder(join(root, name)) : entry.isDirectory();
    yield { name, kind: isFolder ? 'folder' : 'file' };
    if (isFolder) yield* walk(root, name, [...above, here]);
  }
}

/** A hidden file, or those directly in a hidden folder: what lies deeper in one is of a program and no set. */
async function* hiddenFiles(root: string, name: string, entry: Dirent): AsyncGenerator<Entry, void, void> {
  if (entry.isFile()) yield { name, kind: 'hidden' };
  if (!entry.isDirectory()) return;
  const inside = await readdir(join(root, name)).catch((): string[] => []);
  for (const file of inside) yield { name: `${name}/${file}`, kind: 'hidden' };
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw fileError(folder, systemProblem(error), 'Make it readable', error);
  });
  return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
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

function withoutImages(path: string, { folders, others, metadata, hidden }: FolderFiles): Error {
  const kinds = new Map<string, number>();
  for (const file of [...others, ...metadata]) {
    const kind = extname(file).toLowerCase();
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const listed = Array.from(kinds, ([kind, count]) => `${count} ${kind === '' ? 'without extension' : kind}`);
  const found = [
    ...(folders.length > 0 ? [counted(folders.length, 'folder')] : []),
    ...(hidden.length > 0 ? [counted(hidden.length, 'hidden image')] : []),
    ...(listed.length > 0 ? [`other files: ${listSome(listed)}`] : []),
  ];
  const problem = found.length === 0 ? 'is empty' : `holds no images, only ${found.join(' and ')}`;
  const unread = Array.from(kinds.keys(), (kind) => unreadFormatOf(kind.slice(1))).find((format) => format);
  const advice = unread?.advice ?? `Put images into it: ${[...IMAGES].join(' ')}`;
  return dataError(path, problem, advice);
}
