import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { withFile } from '../../host/read-file.ts';
import { readRegular } from '../../host/regular-file.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import type { BadSamplePolicy } from '../../data/bad-samples.ts';
import type { FolderData } from '../settings.ts';
import type { Source } from '../../data/source.ts';
import { readAnnotations } from './folder-annotations.ts';
import { listFolder } from './folder-files.ts';
import { NO_LABEL } from './folder-labels.ts';
import { unusedFiles } from './folder-unused.ts';
import { MOST_IMAGE_BYTES } from './formats.ts';
import { exampleCaptions, type ImageItems, openImageSource } from './image-source.ts';

/** Where captions are looked for. */
const LOOKED_FOR = 'metadata.jsonl, .csv or .parquet with a column text, and name.txt beside name.png';

/**
 * Opens a folder of images. Classes are the label column of metadata.jsonl or metadata.csv, else the folders directly below;
 * captions are the metadata's caption or text, else name.txt or name.caption beside name.png.
 * @param onBadSample skip: a few images may lack a label or a caption
 * @throws RectiflowError naming what is missing, empty, ambiguous or left over
 */
export async function openFolder(data: FolderData, onBadSample: BadSamplePolicy = 'fail'): Promise<Source> {
  const { path } = data;
  const files = await listFolder(path);
  const { images } = files;
  const { captions, labels, ...found } = await readAnnotations(data, files, onBadSample);
  const items: ImageItems = {
    count: images.length,
    bytes: (index) => readImage(join(path, images[index]!)),
    describe: (index) => join(path, images[index]!),
    key: (index) => images[index]!,
    excerpt: (index, bytes) => readStart(join(path, images[index]!), bytes),
    head: (index, bytes) => readStart(join(path, images[index]!), bytes),
    size: async (index) => (await stat(join(path, images[index]!))).size,
    ...captions?.items,
    ...(labels && {
      label: (index) => (labels.labels[index] === NO_LABEL ? undefined : labels.labels[index]),
    }),
  };
  return openImageSource({
    name: path,
    items,
    settings: data,
    condition: found.condition,
    told: { label: labels?.by, caption: captions?.by, lookedFor: LOOKED_FOR },
    unused: [...(await unusedFiles(data, files, { captions, labels })), ...found.unusedColumns],
    remarks: found.remarks,
    onBadSample,
    ...(labels?.classNames && { classNames: labels.classNames }),
    examples: await exampleCaptions(items),
  });
}

async function readStart(path: string, most: number): Promise<Uint8Array> {
  return withFile(path, async (file) => {
    const { buffer, bytesRead } = await file.read(new Uint8Array(most), 0, most, 0);
    return buffer.subarray(0, bytesRead);
  });
}

async function readImage(path: string): Promise<Uint8Array> {
  return readRegular(path, MOST_IMAGE_BYTES).catch((error: unknown) => {
    // What stands in the place of bytes that are no text leads to no file.
    const advice = path.includes('\uFFFD')
      ? 'Its name is no text in UTF-8: rename it'
      : 'Put it back, or start again without it';
    throw fileError(path, systemProblem(error), advice, error);
  });
}
