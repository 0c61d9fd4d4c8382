import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readRegular } from '../../checkpoint/regular-file.ts';
import { readText } from '../../checkpoint/read-file.ts';
import { dataError, fileError, systemProblem } from '../../tensor/errors.ts';
import { type BadSamplePolicy, mayLeaveOut } from '../bad-samples.ts';
import { listSome } from '../list-some.ts';
import type { FolderData } from '../settings.ts';
import type { Source } from '../source.ts';
import { type FolderFiles, listFolder } from './folder-files.ts';
import { type MetadataRow, readMetadata } from './folder-metadata.ts';
import { exampleCaptions, type ImageItems, imageSource } from './image-source.ts';

/** Names of splits, which are folders of class folders rather than classes. */
const SPLITS: ReadonlySet<string> = new Set(['train', 'test', 'val', 'valid', 'validation', 'dev']);

interface Labels {
  /** By image. */
  readonly labels: Int32Array;
  readonly classNames?: readonly string[];
}

type Captions = Pick<ImageItems, 'caption' | 'hasCaption'>;

/** In a list of labels: this image has none. */
const NONE = -1;

/**
 * Opens a folder of images. Classes are the label column of metadata.jsonl or metadata.csv, else the folders directly below;
 * captions are the metadata's caption or text, else name.txt beside name.png.
 * @param onBadSample skip: a few images may lack a label or a caption
 * @throws RectiflowError naming what is missing, empty, ambiguous or left over
 */
export async function openFolder(data: FolderData, onBadSample: BadSamplePolicy = 'fail'): Promise<Source> {
  const { path } = data;
  const files = await listFolder(path);
  const { images, metadata } = files;
  if (metadata.length > 1) {
    throw dataError(path, 'there are both metadata.jsonl and metadata.csv', 'Keep one of them');
  }
  const [name] = metadata;
  const rows = name === undefined ? undefined : await readRows(path, name, images, onBadSample);
  const mayCaption = data.condition === 'auto' || data.condition === 'caption';
  const captions = mayCaption ? (rows ? rowCaptions(rows) : textCaptions(data, files)) : undefined;
  // Where some images have captions, those without are a mistake rather than a reason to train on classes.
  const condition = data.condition === 'auto' && captions ? 'caption' : data.condition;
  const mayLabel = condition === 'auto' || condition === 'class';
  const labels = mayLabel ? ((rows && rowLabels(rows)) ?? folderLabels(path, files)) : undefined;
  const items: ImageItems = {
    count: images.length,
    bytes: (index) => readImage(join(path, images[index]!)),
    describe: (index) => join(path, images[index]!),
    key: (index) => images[index]!,
    size: async (index) => (await stat(join(path, images[index]!))).size,
    ...captions,
    ...(labels && {
      label: (index) => (labels.labels[index] === NONE ? undefined : labels.labels[index]),
    }),
  };
  return imageSource({
    name: path,
    items,
    settings: data,
    condition,
    told: { label: rows && rowLabels(rows) ? name! : 'by folder' },
    onBadSample,
    ...(labels?.classNames && { classNames: labels.classNames }),
    examples: await exampleCaptions(items),
  });
}

async function readImage(path: string): Promise<Uint8Array> {
  return readRegular(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), 'Put it back, or start again without it', error);
  });
}

/** One row for each image; an empty one for those that may be left out. */
async function readRows(
  path: string,
  name: string,
  images: readonly string[],
  onBadSample: BadSamplePolicy,
): Promise<MetadataRow[]> {
  const byFile = await readMetadata(path, name);
  const known = new Set(images);
  const lost = Array.from(byFile.keys()).filter((file) => !known.has(file));
  if (lost.length > 0) {
    const problem = `${lost.length} of ${byFile.size} rows have no image: ${listSome(lost)}`;
    throw dataError(join(path, name), problem, 'Correct file_name, or remove the rows');
  }
  const bare = images.filter((image) => !byFile.has(image));
  if (bare.length > 0 && !mayLeaveOut(onBadSample, bare.length, images.length)) {
    const problem = `${bare.length} of ${images.length} images have no row: ${listSome(bare)}`;
    throw dataError(join(path, name), problem, 'Add rows, or remove the images');
  }
  return images.map((image) => byFile.get(image) ?? {});
}

function rowCaptions(rows: readonly MetadataRow[]): Captions | undefined {
  if (rows.every(({ caption }) => caption === undefined)) return undefined;
  return {
    caption: (index) => rows[index]!.caption!,
    hasCaption: (index) => rows[index]!.caption !== undefined,
  };
}

/** Labels that are all whole numbers are classes as they are, others are names. */
function rowLabels(rows: readonly MetadataRow[]): Labels | undefined {
  const given = rows.flatMap(({ label }) => (label === undefined ? [] : [String(label)]));
  if (given.length === 0) return undefined;
  if (given.every((label) => /^\d{1,9}$/.test(label))) {
    return { labels: Int32Array.from(rows, ({ label }) => (label === undefined ? NONE : Number(label))) };
  }
  const classNames = [...new Set(given)].toSorted();
  const classes = new Map(classNames.map((name, index) => [name, index]));
  return {
    labels: Int32Array.from(rows, ({ label }) => (label === undefined ? NONE : classes.get(String(label))!)),
    classNames,
  };
}

/** The text files that go with images; undefined where none does. */
function textCaptions({ path, condition }: FolderData, { images, texts }: FolderFiles): Captions | undefined {
  const captions = new Set(texts);
  const textOf = (image: string): string => image.replace(/\.[^./]+$/, '.txt');
  const used = new Set(images.map(textOf).filter((text) => captions.has(text)));
  if (used.size === 0 && condition === 'auto') return undefined;
  const lost = texts.filter((text) => !used.has(text));
  if (lost.length > 0) {
    const problem = `captions have no image: ${listSome(lost)}`;
    throw dataError(path, problem, 'Remove them, or name each like its image: name.txt beside name.png');
  }
  return {
    caption: (index) => readCaption(join(path, textOf(images[index]!))),
    hasCaption: (index) => captions.has(textOf(images[index]!)),
  };
}

async function readCaption(path: string): Promise<string> {
  const caption = (await readText(path, 'Put it back')).trim();
  if (caption === '') throw fileError(path, 'holds no caption', 'Write one, or remove the image');
  return caption;
}

/** The folders directly below are the classes; undefined where all images lie beside them. */
function folderLabels(path: string, { images, folders }: FolderFiles): Labels | undefined {
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
    throw dataError(path, problem, 'Put images into them, or remove them');
  }
  if (folders.every((folder) => SPLITS.has(folder.toLowerCase()))) {
    const problem = `its folders are splits, not classes: ${folders.join(', ')}`;
    throw dataError(path, problem, `Set data.path to one of them, such as ${join(path, folders.at(-1)!)}`);
  }
  return { labels, classNames: folders };
}
