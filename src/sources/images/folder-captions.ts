// Captions in text files beside images: name.txt beside name.png.
import { join, posix } from 'node:path';
import { readText } from '../../host/read-file.ts';
import { counted } from '../../tensor/counted.ts';
import { dataError, fileError } from '../../tensor/errors.ts';
import { toCaptions } from '../annotation-columns.ts';
import { captionExtensions } from '../caption-extensions.ts';
import { listSome } from '../../data/list-some.ts';
import type { FolderData } from '../settings.ts';
import { type Captions, MOST_CAPTION } from '../../data/source.ts';
import type { FolderFiles } from './folder-files.ts';
import type { ImageItems } from './image-source.ts';
import { unreadFormatOf } from './unread-formats.ts';

export interface FolderCaptions {
  /** Where they are from. */
  readonly by: string;
  readonly items: Required<Pick<ImageItems, 'caption' | 'hasCaption' | 'severalCaptions'>>;
  /** The files that hold them, where each image has one. */
  readonly files?: ReadonlySet<string>;
  /** What is odd about them, as sentences. */
  readonly remarks?: readonly string[];
}

/**
 * The text files that go with images; undefined where none does, and none has to.
 * @throws RectiflowError where some have no image
 */
export function textCaptions(data: FolderData, { images, others }: FolderFiles): FolderCaptions | undefined {
  const { path, condition, captionPerLine = false } = data;
  const extensions = captionExtensions(data);
  const texts = extensions.flatMap((ending) => others.filter((file) => endingOf(file) === ending));
  const byStem = new Map<string, string>();
  // The first that an image has a file with counts.
  for (const file of texts.toReversed()) byStem.set(stemOf(file), file);
  const fileOf = images.map((image) => byStem.get(stemOf(image)));
  const files = new Set<string>();
  const shared: string[] = [];
  fileOf.forEach((file, index) => {
    if (file === undefined) return;
    if (files.has(file)) shared.push(images[index]!);
    files.add(file);
  });
  if (files.size === 0 && (condition === 'auto' || texts.length === 0)) return undefined;
  const stems = new Set(images.map(stemOf));
  refuseLost(
    path,
    texts.filter((file) => !stems.has(stemOf(file))),
    others,
  );
  const endings = new Set(Array.from(files, (file) => posix.extname(file)));
  return {
    by: `${[...endings].join(' and ')} files`,
    items: {
      caption: async (index) => readCaption(join(path, fileOf[index]!), captionPerLine),
      hasCaption: (index) => fileOf[index] !== undefined,
      severalCaptions: captionPerLine,
    },
    files,
    remarks: describeShared(shared),
  };
}

function describeShared(shared: readonly string[]): string[] {
  if (shared.length === 0) return [];
  const images = counted(shared.length, 'image');
  return [
    `${images} with the caption of another that differs in its ending only: ${listSome(shared)}. Remove copies, or rename them.`,
  ];
}

function refuseLost(path: string, lost: readonly string[], others: readonly string[]): void {
  if (lost.length === 0) return;
  const unread = new Map(
    others.filter((file) => unreadFormatOf(endingOf(file).slice(1))).map((file) => [stemOf(file), file]),
  );
  const named = lost.map((file) => {
    const image = unread.get(stemOf(file));
    return image === undefined ? file : `${file} (${image} is not read)`;
  });
  const advice = 'Remove them, or name each like its image: name.txt beside name.png';
  throw dataError(path, `captions have no image: ${listSome(named)}`, advice);
}

/** @throws RectiflowError naming the file: not readable, no text, empty */
async function readCaption(path: string, perLine: boolean): Promise<Captions> {
  const text = await readText(path, 'Put it back', MOST_CAPTION);
  const captions = toCaptions(perLine ? text.split('\n') : text, () =>
    fileError(path, 'is no text', 'Correct it'),
  );
  if (captions === undefined) throw fileError(path, 'holds no caption', 'Write one, or remove the image');
  return captions;
}

/** In lower case, with its dot. */
export function endingOf(file: string): string {
  return posix.extname(file).toLowerCase();
}

/** What an image has in common with the files that belong to it. */
export function stemOf(file: string): string {
  return file.slice(0, file.length - posix.extname(file).length);
}
