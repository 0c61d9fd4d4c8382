// What lies in a folder of images and is not used, by kind.
import { join, posix } from 'node:path';
import { firstBytes } from '../../host/regular-file.ts';
import { mayTell } from '../annotation-columns.ts';
import { CLASS_NAME_FILES } from '../class-names.ts';
import type { FolderData } from '../settings.ts';
import { type Unused, unusedOf } from '../../data/told.ts';
import { captionExtensions } from '../caption-extensions.ts';
import { type FolderCaptions, endingOf, stemOf } from './folder-captions.ts';
import type { FolderFiles } from './folder-files.ts';
import { formatOfBytes } from './formats.ts';
import { BY_FOLDER, type Labels } from './folder-labels.ts';
import { unreadFormatOf } from './unread-formats.ts';

interface Used {
  readonly captions: FolderCaptions | undefined;
  readonly labels: Labels | undefined;
}

/** Kinds of files that are told apart: names may end in numbers. */
const MOST_KINDS = 20;
/** Of files of one kind; and how much of each is looked at. */
const LOOKED_AT = 8;
const START_BYTES = 256;
const ARCHIVES: ReadonlySet<string> = new Set(
  ['zip', 'tar', 'gz', 'tgz', 'bz2', 'xz', 'zst', '7z', 'rar'].map((ending) => `.${ending}`),
);
/** Tables and lists, which may say what images show. */
const TABLES: ReadonlySet<string> = new Set(
  ['csv', 'tsv', 'json', 'jsonl', 'ndjson', 'parquet', 'arrow', 'xlsx', 'xls', 'xml'].map(
    (ending) => `.${ending}`,
  ),
);
/** Beside an image, files that are no text. */
const VALUES: ReadonlySet<string> = new Set(
  ['npy', 'npz', 'pt', 'pth', 'pkl', 'bin', 'safetensors', 'wav', 'mp3'].map((ending) => `.${ending}`),
);
const METADATA_ADVICE =
  'If they say what the images show, write it into metadata.csv or metadata.jsonl, with file_name, text and label.';

interface Kind {
  readonly what: string;
  readonly advice: string | undefined;
}

/** Files that are neither images nor read, and folders whose names tell nothing. */
export async function unusedFiles(data: FolderData, files: FolderFiles, used: Used): Promise<Unused[]> {
  const stems = new Set(files.images.map(stemOf));
  const read = new Set([...(used.captions?.files ?? []), ...(used.labels?.files ?? [])]);
  const kinds = new Map<string, Kind & { readonly names: string[] }>();
  const others: string[] = [];
  for (const file of files.others) {
    if (read.has(file)) continue;
    const kind = kindOf(file, stems.has(stemOf(file)), data, used);
    const key = `${kind.what} ${kind.advice}`;
    const known = kinds.get(key);
    if (known) known.names.push(file);
    else if (kinds.size < MOST_KINDS) kinds.set(key, { ...kind, names: [file] });
    else others.push(file);
  }
  const found: Unused[] = [];
  for (const { what, names, advice } of kinds.values()) {
    const hint = advice ?? strayAdvice(names, data, files, used) ?? (await imageAdvice(data.path, names));
    found.push(unusedOf(what, names, hint));
  }
  return [
    ...found.filter(({ advice }) => advice !== undefined),
    ...(used.labels?.by === BY_FOLDER ? nestedFolders(data.path, files) : untoldFolders(files)),
    unusedOf('hidden image', files.hidden),
    ...found.filter(({ advice }) => advice === undefined),
    unusedOf('other file', others),
  ].filter(({ count }) => count > 0);
}

/** Whether the first of these files are images, whatever their names say. */
async function imageAdvice(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names.slice(0, LOOKED_AT)) {
    const start = await firstBytes(join(folder, name), START_BYTES).catch(() => undefined);
    const format = start && formatOfBytes(start);
    if (format === undefined) continue;
    const article = typeof format === 'string' ? `a ${format}` : format.name;
    const advice =
      typeof format === 'string' ? `End such names in .${format} to have them read` : format.advice;
    return `By its first bytes ${name} is ${article}. ${advice}.`;
  }
  return undefined;
}

/** On texts of which none is called as an image, in a number that a license and a note do not come to. */
function strayAdvice(
  names: readonly string[],
  data: FolderData,
  { images }: FolderFiles,
  { captions }: Used,
): string | undefined {
  const mayCaption = mayTell(data.condition, 'caption');
  const areCaptions =
    captionExtensions(data).includes(endingOf(names[0]!)) && 2 * names.length > images.length;
  if (!mayCaption || captions !== undefined || !areCaptions) return undefined;
  const image = images[0]!;
  return `If they hold captions, name each as its image and put it beside it: ${stemOf(image)}${endingOf(names[0]!)} beside ${image}.`;
}

function kindOf(file: string, isBesideImage: boolean, data: FolderData, { captions, labels }: Used): Kind {
  const ending = endingOf(file);
  const what = /[a-z]/.test(ending) ? `${ending} file` : 'extensionless file';
  const unread = unreadFormatOf(ending.slice(1));
  if (unread) return { what, advice: `${unread.advice}.` };
  if (ARCHIVES.has(ending))
    return { what, advice: 'Unpack what holds samples, and move it out of the folder.' };
  const mayCaption = mayTell(data.condition, 'caption');
  const mayLabel = mayTell(data.condition, 'class') && labels === undefined;
  const lacks = captions === undefined && (mayCaption || mayLabel);
  // Without numbers to name, they are of no use.
  if (CLASS_NAME_FILES.some((name) => name === file)) return { what, advice: undefined };
  if (TABLES.has(ending)) return { what, advice: lacks ? METADATA_ADVICE : undefined };
  if (!isBesideImage || VALUES.has(ending) || !mayCaption) return { what, advice: undefined };
  if (captions !== undefined) {
    const advice = `Captions are read from ${captions.by}: remove these, or the others.`;
    return { what, advice: captionExtensions(data).includes(ending) ? advice : undefined };
  }
  return { what, advice: `If they hold captions, set data.captionExtensions to [${ending}].` };
}

/** Folders that would be classes, were nothing else told. */
function untoldFolders({ images, folders }: FolderFiles): Unused[] {
  return images.some((image) => !image.includes('/')) ? [] : [unusedOf('folder name', folders)];
}

/** Only the folders directly below are classes. */
function nestedFolders(path: string, { images, folders }: FolderFiles): Unused[] {
  const nested = [
    ...new Set(images.map((image) => posix.dirname(image)).filter((folder) => folder.includes('/'))),
  ];
  const [only] = folders;
  const isOneClass = folders.length === 1 && nested.length > 1;
  const advice = `All images are of the one class ${only}: set data.path to ${posix.join(path, only!)} to make these the classes.`;
  return [unusedOf('nested folder', nested, isOneClass ? advice : undefined)];
}
