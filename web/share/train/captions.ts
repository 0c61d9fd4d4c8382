// The captions of pictures: those of files beside them, else what the visitor says of their folder, else what they are called.
import type { CaptionMeter } from '../../../src/data/caption-meter.ts';
import type { Captions } from '../../../src/data/source.ts';
import { type CaptionFile, stemOf } from './caption-files.ts';

/** What a picture without a caption of its own is called: as its file, as its folder, or it is left out. */
export const namings = ['file', 'folder', 'none'] as const;
export type Naming = (typeof namings)[number];

export interface CaptionChoice {
  readonly naming: Naming;
  /** Of pictures without one in these folders, by the name of the folder; '' where nothing is said. */
  readonly ofFolders: readonly (readonly [folder: string, caption: string])[];
}

export const captionsAtFirst: CaptionChoice = { naming: 'file', ofFolders: [] };

export interface CaptionedPicture {
  readonly path: string;
  /** The name of its class. */
  readonly folder: string;
  /** Of a picture that is drawn here. */
  readonly own?: string | undefined;
}

/** Where captions are from, for people. */
export const origins = {
  own: 'what was drawn',
  metadata: 'metadata.jsonl',
  text: 'text files',
  folders: 'what is said of folders',
  file: 'names of files',
  folder: 'names of folders',
} as const;
export type CaptionOrigin = keyof typeof origins;

export interface FoundCaption {
  readonly captions: Captions;
  readonly from: CaptionOrigin;
}

/** @returns of each picture; undefined where it has none */
export function captionsOf(
  pictures: readonly CaptionedPicture[],
  files: readonly CaptionFile[],
  { naming, ofFolders }: CaptionChoice,
): (FoundCaption | undefined)[] {
  const rows = mapOf(files, 'path');
  const texts = mapOf(files, 'stem');
  const said = new Map(ofFolders.map(([folder, caption]) => [folder, caption.trim()]));
  const names = {
    file: ({ path }) => wordsOf(stemOf(path).split('/').at(-1)!),
    folder: ({ path }) => wordsOf(path.split('/').at(-2) ?? ''),
    none: () => '',
  } satisfies Record<Naming, (picture: CaptionedPicture) => string>;
  return pictures.map((picture) => {
    const ways = [
      [picture.own, 'own'],
      [rows.get(picture.path), 'metadata'],
      [texts.get(stemOf(picture.path)), 'text'],
      [said.get(picture.folder), 'folders'],
      [names[naming](picture), naming === 'folder' ? 'folder' : 'file'],
    ] as const;
    const found = ways.find(([captions]) => captions !== undefined && captions !== '');
    return found && { captions: found[0]!, from: found[1] };
  });
}

/** Of two text files of a picture the first counts, which is .caption's after .txt's, as on the command line. */
function mapOf(files: readonly CaptionFile[], by: CaptionFile['by']): Map<string, Captions> {
  const ending = ({ path }: CaptionFile): number => (/\.txt$/i.test(path) ? 1 : 0);
  const sorted = files.filter((file) => file.by === by).toSorted((a, b) => ending(a) - ending(b));
  return new Map(sorted.flatMap(({ captions }) => [...captions]));
}

/** `red-fox_02` -> `red fox`. Numbers, which count files, are left out. */
export function wordsOf(name: string): string {
  const words = name.split(/[^\p{L}\p{M}\p{N}'’]+/u);
  return words.filter((word) => /[\p{L}]/u.test(word)).join(' ');
}

/** What the page tells of captions. */
export interface CaptionsReport {
  /** Pictures that have one. */
  readonly count: number;
  readonly from: readonly {
    readonly origin: CaptionOrigin;
    readonly count: number;
    readonly example: string;
  }[];
  /** Paths of the pictures that have none. */
  readonly without: readonly string[];
  /** Captions that are longer than what the model is told, in tokens, and so are cut. */
  readonly cut: number;
  readonly length: number;
}

export function describeCaptions(
  pictures: readonly CaptionedPicture[],
  found: readonly (FoundCaption | undefined)[],
  meter: CaptionMeter,
): CaptionsReport {
  const from = new Map<CaptionOrigin, { count: number; example: string }>();
  const isLong = new Map<string, boolean>();
  let cut = 0;
  for (const each of found) {
    if (each === undefined) continue;
    const all = [each.captions].flat();
    const known = from.get(each.from) ?? { count: 0, example: all[0]! };
    from.set(each.from, { ...known, count: known.count + 1 });
    for (const caption of all) {
      if (!isLong.has(caption)) isLong.set(caption, meter.measure(caption).tokens > meter.length);
      if (isLong.get(caption)) cut++;
    }
  }
  return {
    count: found.filter((each) => each !== undefined).length,
    from: Array.from(from, ([origin, told]) => ({ origin, ...told })),
    without: pictures.filter((_, i) => found[i] === undefined).map(({ path }) => path),
    cut,
    length: meter.length,
  };
}

/** The files that say something of a picture. @param paths of all pictures that are given */
export function usedFiles(files: readonly CaptionFile[], paths: readonly string[]): CaptionFile[] {
  const known = keysOf(paths);
  return files.filter(({ by, captions }) => [...captions.keys()].some((key) => known[by].has(key)));
}

/** Files and rows of captions that no picture goes with, and why. @param paths of all pictures that are given */
export function lostCaptions(
  files: readonly CaptionFile[],
  paths: readonly string[],
): { readonly path: string; readonly reason: string }[] {
  const known = keysOf(paths);
  return files.flatMap(({ path, by, captions }) => {
    const lost = [...captions.keys()].filter((key) => !known[by].has(key));
    if (lost.length === 0) return [];
    if (by === 'stem') return [{ path, reason: 'is text, and no picture beside it has its name' }];
    const some = lost.slice(0, 5).join(', ') + (lost.length > 5 ? ', ...' : '');
    const count = `${lost.length} of ${captions.size} captions`;
    return [{ path, reason: `has ${count} of pictures that are not there: ${some}` }];
  });
}

/** What pictures are known by in files of captions. */
function keysOf(paths: readonly string[]): Readonly<Record<CaptionFile['by'], ReadonlySet<string>>> {
  return { path: new Set(paths), stem: new Set(paths.map(stemOf)) };
}
