// What files beside pictures say of them: a text file of the same name, or metadata.jsonl, as the command line reads them.
import { type Captions, MOST_CAPTION } from '../../../src/data/source.ts';
import { decodeText } from '../../../src/tensor/text.ts';
import { NoPicture } from './pictures.ts';

/** Captions that a file holds, by what the paths of their pictures are known by. */
export interface CaptionFile {
  readonly path: string;
  /** Of a text file: the paths without their ending. Of metadata: the paths. */
  readonly by: 'stem' | 'path';
  readonly captions: ReadonlyMap<string, Captions>;
}

const METADATA = 'metadata.jsonl';
const mostMetadata = 64 << 20;
/** The first that a row has is its caption. */
const columns = ['caption', 'text', 'prompt', 'captions'];

/** Whether a file is one of captions, by its name. */
export function holdsCaptions(path: string): boolean {
  return isMetadata(path) || /\.(txt|caption)$/i.test(path);
}

/**
 * @throws NoPicture where it is no text in UTF-8, holds no caption, or is too long
 */
export async function readCaptions(file: File, path: string): Promise<CaptionFile> {
  const most = isMetadata(path) ? mostMetadata : MOST_CAPTION;
  if (file.size > most) throw new NoPicture(`is too long for captions: it has more than ${most >> 10} KiB`);
  return captionsIn(new Uint8Array(await file.arrayBuffer()), path);
}

/** @throws NoPicture as `readCaptions` does */
export function captionsIn(bytes: Uint8Array, path: string): CaptionFile {
  const text = textOf(bytes, path);
  if (isMetadata(path)) return { path, by: 'path', captions: rowsOf(text, path) };
  const caption = text.trim();
  if (caption === '') throw new NoPicture('holds no caption');
  return { path, by: 'stem', captions: new Map([[stemOf(path), caption]]) };
}

/** A path without the ending of its file. */
export function stemOf(path: string): string {
  return path.replace(/(?<=[^/])\.[^./]*$/, '');
}

function isMetadata(path: string): boolean {
  return path.split('/').at(-1) === METADATA;
}

function textOf(bytes: Uint8Array, path: string): string {
  try {
    return decodeText(bytes, path);
  } catch (error) {
    throw new NoPicture((error as Error).message.replace(`${path}: `, ''));
  }
}

function rowsOf(text: string, path: string): Map<string, Captions> {
  const captions = new Map<string, Captions>();
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const row = rowOf(line, i + 1);
    const name = row['file_name'];
    if (typeof name !== 'string' || name === '') throw new NoPicture(`line ${i + 1}: has no file_name`);
    const found = captionsOf(row, i + 1);
    if (found !== undefined) captions.set(pathBeside(path, name), found);
  }
  if (captions.size === 0) throw new NoPicture('holds no captions');
  return captions;
}

/** @param name of a picture, relative to the folder of the file at `path` */
function pathBeside(path: string, name: string): string {
  const parts = path.split('/').slice(0, -1);
  for (const part of name.trim().replaceAll('\\', '/').split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

function rowOf(line: string, number: number): Record<string, unknown> {
  try {
    const row: unknown = JSON.parse(line);
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) return row as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new NoPicture(`line ${number}: is no object of JSON, as in {"file_name": "1.png", "text": "a cat"}`);
}

function captionsOf(row: Readonly<Record<string, unknown>>, number: number): Captions | undefined {
  const column = columns.find((name) => row[name] !== undefined && row[name] !== null);
  if (column === undefined) return undefined;
  const texts = [row[column]].flat();
  if (!texts.every((text) => typeof text === 'string'))
    throw new NoPicture(`line ${number}: ${column} is no text`);
  const captions = texts.map((text) => text.trim()).filter((text) => text !== '');
  return captions.length > 1 ? captions : captions[0];
}
