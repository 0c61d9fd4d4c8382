// A gallery: a folder with a page in Markdown that shows shared models, each by its card.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { parseJsonObject } from '../../formats/json.ts';
import { replaceDurably } from '../../host/durable.ts';
import { readRegular } from '../../host/regular-file.ts';
import type { Card } from '../../share/manifest.ts';
import { RectiflowError, fileError, systemProblem } from '../../tensor/errors.ts';
import { decodeText } from '../../tensor/text.ts';
import type { CardPicture } from './card-picture.ts';
import { describeEntry } from './gallery-entry.ts';

/** What a gallery keeps of a shared model. */
export interface GalleryEntry {
  readonly format: typeof entryFormat;
  readonly card: Card;
  /** Of its weights. */
  readonly bytes: number;
  /** The picture beside the entry. */
  readonly picture?: string;
}

const entryFormat = 'rectiflow-gallery';
const pageFile = 'README.md';
/** What is above it is whoever's the gallery is, and stays. */
const mark = '<!-- models: written by rectiflow share --gallery -->';
const heading = '# Gallery\n\nModels, and samples of them.\n';

/**
 * Makes sure that nothing of somebody else's is written over.
 * @param name of the run's folder
 * @throws RectiflowError where the folder has a page that is not a gallery's, or files that a model of this name would replace
 */
export async function checkGallery(gallery: string, name: string): Promise<void> {
  await above(gallery);
  const files = await readdir(gallery).catch((): string[] => []);
  const isKnown = files.includes(`${name}.json`) && (await readEntries(gallery)).has(name);
  const [other] = isKnown ? [] : filesOf(name).filter((file) => files.includes(file));
  if (other !== undefined)
    throw fileError(
      join(gallery, other),
      'is not of a model of the gallery',
      'Move it, or give another folder',
    );
}

const filesOf = (name: string): readonly [entry: string, ...pictures: string[]] => [
  `${name}.json`,
  `${name}.png`,
  `${name}.svg`,
];

/**
 * Adds a model, or replaces the one of the same name, and writes the page anew.
 * @param name of the run's folder, by which its files are called
 * @returns the page
 * @throws RectiflowError where it cannot be written
 */
export async function addToGallery(
  gallery: string,
  name: string,
  {
    picture,
    ...entry
  }: Omit<GalleryEntry, 'format' | 'picture'> & {
    readonly picture?: Pick<CardPicture, 'file' | 'bytes'> | undefined;
  },
): Promise<string> {
  const page = join(gallery, pageFile);
  const text = await above(gallery);
  const [file] = filesOf(name);
  const shown = picture && `${name}${extname(picture.file)}`;
  const added: GalleryEntry = { format: entryFormat, ...entry, ...(shown && { picture: shown }) };
  try {
    await mkdir(gallery, { recursive: true });
    if (picture) await writeFile(join(gallery, shown!), picture.bytes);
    await replaceDurably(join(gallery, file), `${JSON.stringify(added, null, 2)}\n`);
    const entries = await readEntries(gallery);
    await replaceDurably(
      page,
      [text.trimEnd(), mark, ...[...entries.values()].map(describeEntry)].join('\n\n') + '\n',
    );
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    throw fileError(page, `cannot be written: ${systemProblem(error)}`, 'Check the path and the disk', error);
  }
  return page;
}

/** What the page says above its models. */
async function above(gallery: string): Promise<string> {
  const page = join(gallery, pageFile);
  const bytes = await readRegular(page).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw fileError(page, systemProblem(error), 'Give another folder', error);
  });
  if (bytes === undefined) return heading;
  const [text, ...models] = decodeText(bytes, page).split(mark);
  if (models.length === 1) return text!;
  throw fileError(page, 'is no page of a gallery', `Give another folder, or add the line ${mark} at its end`);
}

/** By the names of their runs, in their order. */
async function readEntries(gallery: string): Promise<Map<string, GalleryEntry>> {
  const files = (await readdir(gallery)).filter((file) => file.endsWith('.json')).toSorted();
  const entries = new Map<string, GalleryEntry>();
  for (const file of files) {
    const path = join(gallery, file);
    const entry = parseJsonObject(await readRegular(path), path, 'Move it elsewhere');
    if (entry['format'] === entryFormat)
      entries.set(basename(file, '.json'), entry as unknown as GalleryEntry);
  }
  return entries;
}
