// Classes of images in a folder: by the metadata's labels, or by the folders that they lie in.
import { join } from 'node:path';
import { type RectiflowError, dataError } from '../../tensor/errors.ts';
import { CLASS_NAME_FILES, readClassNames } from '../class-names.ts';
import { listSome } from '../../data/list-some.ts';
import type { FolderFiles } from './folder-files.ts';
import type { MetadataRow } from './folder-metadata.ts';

export interface Labels {
  /** By image. */
  readonly labels: Int32Array;
  readonly classNames?: readonly string[];
  /** Where they are from. */
  readonly by: string;
  /** Files that were read beside. */
  readonly files?: readonly string[];
}

/** Where labels are from that no file says. */
export const BY_FOLDER = 'by folder';

/** In a list of labels: this image has none. */
export const NO_LABEL = -1;

/** What may hold captions. */
const TEXT = /\.(?:txt|caption|json)$/i;

/** Names of splits, which are folders of class folders rather than classes. */
const SPLITS: ReadonlySet<string> = new Set(['train', 'test', 'val', 'valid', 'validation', 'dev']);

/**
 * Labels that are all whole numbers are classes as they are, whose names classes.json or classnames.txt in the folder may give;
 * others are names. undefined where no row has one.
 * @param by where they are from
 */
export async function rowLabels(
  path: string,
  rows: readonly MetadataRow[],
  by: string,
): Promise<Labels | undefined> {
  const given = rows.flatMap(({ label }) => (label === undefined ? [] : [String(label)]));
  if (given.length === 0) return undefined;
  const toLabels = (of: (label: string | number) => number): Int32Array =>
    Int32Array.from(rows, ({ label }) => (label === undefined ? NO_LABEL : of(label)));
  if (given.every((label) => /^\d{1,9}$/.test(label))) {
    const classNames = await readClassNames(path);
    return { labels: toLabels(Number), by, ...(classNames && { classNames, files: CLASS_NAME_FILES }) };
  }
  const classNames = [...new Set(given)].toSorted();
  const classes = new Map(classNames.map((name, index) => [name, index]));
  return { labels: toLabels((label) => classes.get(String(label))!), classNames, by };
}

/**
 * The folders directly below are the classes; undefined where all images lie beside them.
 * @throws RectiflowError where some do, where a folder is empty, or all are splits
 */
export function folderLabels(path: string, { images, others, folders }: FolderFiles): Labels | undefined {
  const loose = images.filter((image) => !image.includes('/'));
  if (loose.length === images.length) return undefined;
  if (loose.length > 0) {
    const problem = `images lie beside the class folders: ${listSome(loose)}`;
    throw dataError(path, problem, 'Move them into a class folder, or set data.condition to none');
  }
  const classes = new Map(folders.map((folder, index) => [folder, index]));
  const labels = Int32Array.from(images, (image) => classes.get(image.slice(0, image.indexOf('/')))!);
  const filled = new Set(labels);
  const empty = folders.filter((_, index) => !filled.has(index));
  if (empty.length > 0) {
    const problem = `${empty.length} of ${folders.length} class folders hold no images: ${listSome(empty)}`;
    const holdsTexts = others.some(
      (file) => TEXT.test(file) && empty.some((folder) => file.startsWith(`${folder}/`)),
    );
    const rest = holdsTexts
      ? 'move what they hold out of the folder; captions belong beside their images, as 0.txt beside 0.png'
      : 'remove them';
    throw dataError(path, problem, `Put images into them, or ${rest}`);
  }
  if (areSplits(folders)) throw splitsError(path, folders, 'not classes');
  return { labels, classNames: folders, by: BY_FOLDER };
}

/** Whether folders divide a set into samples to train on and others. */
export function areSplits(folders: readonly string[]): boolean {
  return folders.length > 0 && folders.every((folder) => SPLITS.has(folder.toLowerCase()));
}

/** @param not what they are taken for */
export function splitsError(path: string, folders: readonly string[], not: string): RectiflowError {
  const problem = `its folders are splits, ${not}: ${folders.join(', ')}`;
  return dataError(path, problem, `Set data.path to one of them, such as ${join(path, folders.at(-1)!)}`);
}
