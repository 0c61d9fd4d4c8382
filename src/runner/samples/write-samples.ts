import { existsSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { writeImage, writePng } from '../../pictures/image.ts';
import { pathNames } from './path-names.ts';
import { withPngText } from '../../formats/png-text.ts';
import { type ImageShape, imageSize } from '../../data/source.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import { isPicture } from '../../data/source.ts';
import { drawSampleSheet } from '../../pictures/sample-sheet.ts';
import type { Samples } from './samples.ts';
import { writeCells } from './write-cells.ts';
import { writeTensors } from './write-tensors.ts';
import type { WrittenSamples } from './written-samples.ts';

export interface WriteSamplesOptions {
  /** Whether latents are written beside the pictures that they were decoded to, as folder/samples.safetensors. */
  readonly latents?: boolean | undefined;
}

/**
 * Writes samples in the form that their kind of data comes in.
 *
 * Images: folder/<class>/<index>.png, or folder/<index>.png where there are no classes, with the captions of a model that takes
 * them in folder/metadata.jsonl; so the folder is itself a data set. Beside it, in folder.png, or folder-2.png where that is
 * there, the first of each class or caption stand side by side; what they were made with is in its text `rectiflow`. Gene expression: folder/cells.h5ad. Everything else, latents that were not
 * decoded for one: folder/samples.safetensors.
 * @throws RectiflowError when the folder holds files already, or a file cannot be written
 */
export async function writeSamples(
  folder: string,
  samples: Samples,
  options: WriteSamplesOptions = {},
): Promise<WrittenSamples> {
  const { shape, data, pictures } = samples;
  await refuseFilled(folder);
  if (pictures) {
    const written = await writePictures(folder, { ...samples, ...pictures });
    return options.latents ? { ...written, latents: (await writeTensors(folder, samples)).view } : written;
  }
  if (isPicture(shape, data.record)) return writePictures(folder, { ...samples, shape });
  return data.record?.['kind'] === 'expression' ? writeCells(folder, samples) : writeTensors(folder, samples);
}

/**
 * Samples of two calls must not mix in one data set.
 * @throws RectiflowError when a folder is there and not empty
 */
export async function refuseFilled(folder: string): Promise<void> {
  if (await isFilled(folder))
    throw fileError(folder, 'holds files already', 'Remove it, or choose another folder');
}

/** The first of folder, folder-2, folder-3, ... that is not there or empty. */
export async function freeFolder(folder: string): Promise<string> {
  return firstFree(folder, '', async (path) => !(await isFilled(path)));
}

/** The first file of start.ending, start-2.ending, ... that is not there. */
function freePath(start: string, ending: string): Promise<string> {
  return firstFree(start, ending, async (path) => !existsSync(path));
}

async function firstFree(
  start: string,
  ending: string,
  isFree: (path: string) => Promise<boolean>,
): Promise<string> {
  for (let number = 1; ; number++) {
    const path = `${start}${number === 1 ? '' : `-${number}`}${ending}`;
    if (await isFree(path)) return path;
  }
}

async function isFilled(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw fileError(folder, systemProblem(error), 'Choose another folder', error);
  });
  return names.length > 0;
}

async function writePictures(
  folder: string,
  samples: Samples & { shape: ImageShape },
): Promise<WrittenSamples> {
  const { values, shape, annotations, data, made } = samples;
  const size = imageSize(shape);
  const count = values.length / size;
  const image = (i: number): Float32Array => values.subarray(i * size, (i + 1) * size);
  const captions: string[] = [];
  const inFolder = new Map<string, number>();
  const folders = pathNames(data.classNames ?? []);
  const renamed = new Map<number, { name: string; folder: string }>();
  for (let i = 0; i < count; i++) {
    const { label, caption } = annotations[i] ?? {};
    const name = label === undefined ? '' : (folders[label] ?? String(label));
    const className = label === undefined ? undefined : data.classNames?.[label];
    if (className !== undefined && className !== name) renamed.set(label!, { name: className, folder: name });
    const file = join(name, `${nextOf(inFolder, name)}.png`);
    await writeImage(join(folder, file), image(i), shape);
    if (caption !== undefined) captions.push(JSON.stringify({ file_name: file, text: caption }));
  }
  if (captions.length > 0) await writeFile(join(folder, 'metadata.jsonl'), `${captions.join('\n')}\n`);
  const view = await freePath(join(dirname(folder), basename(resolve(folder))), '.png');
  await writePng(view, await drawSampleSheet(samples));
  if (made) await writeFile(view, withPngText(await readFile(view), 'rectiflow', JSON.stringify(made)));
  return { count, view, ...(renamed.size > 0 && { renamed: [...renamed.values()] }) };
}

/** Counts: 0, 1, 2, ... for each key. */
function nextOf(counts: Map<string, number>, key: string): number {
  const next = counts.get(key) ?? 0;
  counts.set(key, next + 1);
  return next;
}
