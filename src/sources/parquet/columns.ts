import { type RectiflowError, fileError } from '../../tensor/errors.ts';
import { shownJson } from '../../tensor/shown-json.ts';
import { decodeText } from '../../tensor/text.ts';
import { toCaptions } from '../annotation-columns.ts';
import type { Captions } from '../../data/source.ts';
import type { ParquetFile } from './file.ts';

/** Labels of all rows, and the names of the classes where the file has them. */
export interface LabelColumn {
  /** NO_LABEL: none. */
  readonly labels: Int32Array;
  readonly classNames?: readonly string[];
}

export const NO_LABEL: number = -(2 ** 31);

/**
 * Reads a column of classes. Whole numbers have the names that Hugging Face's metadata gives them, if any; of texts the
 * classes are the different ones, sorted.
 * @throws RectiflowError naming the row, where it holds something else
 */
export async function readLabels(files: readonly ParquetFile[], column: string): Promise<LabelColumn> {
  const labels = new Int32Array(files.reduce((rows, file) => rows + file.rows, 0));
  const known = classNamesOf(files, column);
  const names = new Map((known ?? []).map((name, label) => [name, label]));
  let next = 0;
  let hasTexts = false;
  for (const file of files) {
    await eachRow(file, column, (stored, row) => {
      const fail = rowError(file, row);
      const value = stored instanceof Uint8Array ? toText(stored, column, rowName(file, row)) : stored;
      if (typeof value === 'string') {
        hasTexts = true;
        if (known !== undefined && !names.has(value)) {
          throw fail(`"${column}" is "${value}", which is no class of the file's`, 'Correct the metadata');
        }
        if (!names.has(value)) names.set(value, names.size);
        labels[next++] = names.get(value)!;
      } else labels[next++] = toLabel(value, column, fail);
    });
  }
  if (known !== undefined) return { labels, classNames: known };
  return hasTexts ? sortClasses(labels, [...names.keys()]) : { labels };
}

/**
 * Which rows have a caption; undefined: all.
 * @param areLists whether a row has a list of them, which may be empty
 * @throws RectiflowError naming the row, where it holds something else than text
 */
export async function readCaptioned(
  files: readonly ParquetFile[],
  column: string,
  areLists: boolean,
): Promise<Uint8Array | undefined> {
  if (!areLists && files.every((file) => file.isComplete(column))) return undefined;
  const captioned = new Uint8Array(files.reduce((rows, file) => rows + file.rows, 0));
  let next = 0;
  for (const file of files) {
    await eachRow(file, column, (value) => {
      const isGiven = Array.isArray(value) ? value.length > 0 : value !== null && value !== undefined;
      captioned[next++] = isGiven ? 1 : 0;
    });
  }
  return captioned;
}

/** A group at a time, so that one of them is in memory. */
async function eachRow(
  file: ParquetFile,
  column: string,
  visit: (value: unknown, row: number) => void,
): Promise<void> {
  for (let group = 0; group < file.groups.length; group++) {
    const start = file.groups.start(group);
    const values = await file.read(column, start, start + file.groups.size(group));
    for (const [i, value] of values.entries()) visit(value, start + i);
  }
}

function toLabel(value: unknown, column: string, fail: Fail): number {
  if (value === null || value === undefined) return NO_LABEL;
  const label = typeof value === 'bigint' || typeof value === 'boolean' ? Number(value) : value;
  if (Number.isInteger(label) && Math.abs(label as number) < 2 ** 31) return label as number;
  throw fail(`"${column}" is ${String(value)}`, 'Classes are whole numbers or texts: set data.labelColumn');
}

function sortClasses(labels: Int32Array, names: readonly string[]): LabelColumn {
  const classNames = names.toSorted();
  const places = new Map(classNames.map((name, place) => [name, place]));
  const sorted = names.map((name) => places.get(name)!);
  return { labels: labels.map((label) => (label === NO_LABEL ? label : sorted[label]!)), classNames };
}

/** Hugging Face writes its features as JSON: { info: { features: { label: { names } } } }. */
function classNamesOf(files: readonly ParquetFile[], column: string): readonly string[] | undefined {
  const [first, ...others] = files.map((file) => ({ file, names: namesIn(file, column) }));
  for (const { file, names } of others) {
    if (JSON.stringify(names) === JSON.stringify(first!.names)) continue;
    throw fileError(
      file.path,
      `"${column}" has other classes than in ${first!.file.path}`,
      'Read them apart',
    );
  }
  return first!.names;
}

function namesIn(file: ParquetFile, column: string): readonly string[] | undefined {
  const text = file.metadata('huggingface');
  if (text === undefined) return undefined;
  let names: unknown;
  try {
    const { info } = JSON.parse(text) as { info?: { features?: Record<string, { names?: unknown }> } };
    names = info?.features?.[column]?.names;
  } catch (cause) {
    throw fileError(file.path, 'has huggingface metadata that is no JSON', 'Write the file again', cause);
  }
  return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined;
}

/**
 * A caption of a row, or several.
 * @throws RectiflowError naming the row, of bytes that are no text
 */
export function toCaption(value: unknown, column: string, row: string): Captions {
  if (!Array.isArray(value)) return toText(value, column, row);
  const texts = value.filter((text) => text !== null).map((text) => toText(text, column, row));
  return toCaptions(texts, () => fileError(row, `"${column}" is no list of texts`, 'Correct it')) ?? '';
}

function toText(value: unknown, column: string, row: string): string {
  if (value instanceof Uint8Array) return decodeText(value, `${row}: "${column}"`);
  if (typeof value === 'string') return value;
  throw fileError(
    row,
    `"${column}" holds ${shownJson(value)}, wanted a text`,
    'Correct it, or leave the row out',
  );
}

export type Fail = (problem: string, advice: string) => RectiflowError;

export function rowName(file: ParquetFile, row: number): string {
  return `${file.path}: row ${row}`;
}

export function rowError(file: ParquetFile, row: number): Fail {
  return (problem, advice) => fileError(rowName(file, row), problem, advice);
}
