import { join, posix } from 'node:path';
import { readText } from '../../checkpoint/read-file.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import { parseCsv } from '../csv.ts';
import { textLines } from '../text-lines.ts';

/** What a row says of its image. */
export interface MetadataRow {
  readonly caption?: string;
  readonly label?: string | number;
}

interface Row {
  readonly line: number;
  readonly values: Readonly<Record<string, unknown>>;
}

const CAPTION_COLUMNS = ['caption', 'text'] as const;

/**
 * Reads metadata.jsonl or metadata.csv in the form of Hugging Face's imagefolder: file_name, and caption or text, and label.
 * @returns rows by the path of their image, relative to the folder
 * @throws RectiflowError naming the line: not readable, a path outside of the folder, or one that comes twice
 */
export async function readMetadata(folder: string, name: string): Promise<Map<string, MetadataRow>> {
  const path = join(folder, name);
  const rows = new Map<string, MetadataRow>();
  try {
    for await (const { line, values } of name.endsWith('.csv') ? csvRows(path) : jsonRows(path)) {
      const file = imagePath(values['file_name'], path, line);
      if (rows.has(file)) {
        throw fileError(path, `line ${line}: ${file} comes a second time`, 'Keep one row per image');
      }
      rows.set(file, { ...captionOf(values, path, line), ...labelOf(values, path, line) });
    }
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw fileError(path, systemProblem(error), 'Make it readable', error);
  }
  if (rows.size === 0) throw fileError(path, 'has no rows', 'Write one row per image, or remove it');
  return rows;
}

async function* csvRows(path: string): AsyncGenerator<Row, void, void> {
  let header: readonly string[] | undefined;
  for (const { line, fields } of parseCsv(await readText(path, 'Make it readable'), path)) {
    if (header === undefined) {
      header = fields;
      if (!header.includes('file_name')) {
        const problem = `has no column file_name, only ${header.join(', ')}`;
        throw fileError(path, problem, 'Name the columns in the first line, file_name among them');
      }
      continue;
    }
    if (fields.length !== header.length) {
      const problem = `line ${line}: has ${fields.length} fields, the first line ${header.length}`;
      throw fileError(path, problem, 'Quote fields that hold commas');
    }
    yield { line, values: Object.fromEntries(header.map((column, i) => [column, fields[i]])) };
  }
}

async function* jsonRows(path: string): AsyncGenerator<Row, void, void> {
  for await (const { line, text } of textLines(path)) {
    if (text.trim() === '') continue;
    let values: unknown;
    try {
      values = JSON.parse(text);
    } catch (error) {
      throw fileError(path, `line ${line}: is no JSON: ${(error as Error).message}`, 'Correct it', error);
    }
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw fileError(
        path,
        `line ${line}: is no object`,
        'Write {"file_name": ..., "text": ...} on each line',
      );
    }
    yield { line, values: values as Record<string, unknown> };
  }
}

function imagePath(value: unknown, path: string, line: number): string {
  if (typeof value !== 'string' || value === '') {
    throw fileError(
      path,
      `line ${line}: has no file_name`,
      'Give the path of the image, relative to the folder',
    );
  }
  const file = posix.normalize(value.replaceAll('\\', '/'));
  if (file === '..' || file.startsWith('../') || file.startsWith('/') || /^[a-zA-Z]:/.test(file)) {
    const problem = `line ${line}: file_name ${value} leads out of the folder`;
    throw fileError(path, problem, 'Give paths relative to the folder, and keep the images in it');
  }
  return file;
}

function captionOf(values: Row['values'], path: string, line: number): { caption?: string } {
  const column = CAPTION_COLUMNS.find((name) => values[name] !== undefined && values[name] !== null);
  if (column === undefined) return {};
  const value = values[column];
  if (typeof value !== 'string') {
    throw fileError(path, `line ${line}: ${column} is ${JSON.stringify(value)}`, 'Captions must be text');
  }
  const caption = value.trim();
  return caption === '' ? {} : { caption };
}

function labelOf({ label }: Row['values'], path: string, line: number): { label?: string | number } {
  if (label === undefined || label === null || label === '') return {};
  if (typeof label === 'string') return { label: label.trim() };
  if (typeof label === 'number' && Number.isSafeInteger(label) && label >= 0) return { label };
  const problem = `line ${line}: label is ${JSON.stringify(label)}`;
  throw fileError(path, problem, 'Labels must be names, or whole numbers from 0');
}
