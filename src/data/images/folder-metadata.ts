import { join, posix } from 'node:path';
import { readText } from '../../checkpoint/read-file.ts';
import { type RectiflowError, dataError, fileError, systemProblem } from '../../tensor/errors.ts';
import { didYouMean } from '../../tensor/suggest.ts';
import {
  type AnnotationColumns,
  annotationColumns,
  findColumn,
  findValue,
  toCaptions,
} from '../annotation-columns.ts';
import { parseCsv } from '../csv.ts';
import type { AnnotationFiles } from '../settings.ts';
import type { Captions } from '../source.ts';
import { textLines } from '../text-lines.ts';

/** What a row says of its image. */
export interface MetadataRow {
  readonly captions?: Captions;
  readonly label?: string | number;
}

export interface Metadata {
  /** By the path of their image, relative to the folder. */
  readonly rows: ReadonlyMap<string, MetadataRow>;
  /** All columns that there are, and those that were read. */
  readonly columns: readonly string[];
  readonly used: Readonly<Record<'captions' | 'labels' | 'others', readonly string[]>>;
}

interface Row {
  readonly line: number;
  readonly values: Readonly<Record<string, unknown>>;
}

const FILE_NAME = ['file_name'];

/**
 * Reads metadata.jsonl and metadata.csv in the form of Hugging Face's imagefolder: file_name, relative to the folder of the
 * file, and a caption and a label, of which each may be missing.
 * @param names of the files, relative to `folder`
 * @param images those that there are, relative to `folder`
 * @throws RectiflowError naming the line: not readable, a path outside of the folder, or one that comes twice
 */
export async function readMetadata(
  folder: string,
  names: readonly string[],
  images: ReadonlySet<string>,
  settings: AnnotationFiles,
): Promise<Metadata> {
  refuseTwo(folder, names);
  const reader = new MetadataReader(images, annotationColumns(settings));
  for (const name of names) await reader.read(folder, name);
  const metadata = reader.finish();
  for (const [setting, found] of [
    ['captionColumn', metadata.used.captions],
    ['labelColumn', metadata.used.labels],
  ] as const) {
    const wanted = settings[setting];
    if (wanted === undefined || found.length > 0) continue;
    const listed = metadata.columns.map((column) => `"${column}"`).join(', ');
    const advice = `Set data.${setting}.${didYouMean(wanted, metadata.columns)}`;
    throw fileError(join(folder, names[0]!), `has no column "${wanted}" with values, only ${listed}`, advice);
  }
  return metadata;
}

/** Two in one folder may contradict each other. */
function refuseTwo(folder: string, names: readonly string[]): void {
  const inFolder = new Map<string, string>();
  for (const name of names) {
    const where = posix.dirname(name);
    const other = inFolder.get(where);
    if (other !== undefined) {
      const both = `${posix.basename(other)} and ${posix.basename(name)}`;
      throw dataError(join(folder, where), `there are both ${both}`, 'Keep one of them');
    }
    inFolder.set(where, name);
  }
}

class MetadataReader {
  readonly #images: ReadonlySet<string>;
  readonly #wanted: AnnotationColumns;
  readonly #rows = new Map<string, MetadataRow>();
  readonly #columns = new Set<string>();
  readonly #used = { captions: new Set<string>(), labels: new Set<string>(), others: new Set<string>() };

  constructor(images: ReadonlySet<string>, wanted: AnnotationColumns) {
    this.#images = images;
    this.#wanted = wanted;
  }

  finish(): Metadata {
    const { captions, labels, others } = this.#used;
    const used = { captions: [...captions], labels: [...labels], others: [...others] };
    return { rows: this.#rows, columns: [...this.#columns], used };
  }

  async read(folder: string, name: string): Promise<void> {
    const path = join(folder, name);
    const before = this.#rows.size;
    try {
      for await (const row of /\.csv$/i.test(name) ? csvRows(path) : jsonRows(path)) {
        this.#add(row, path, posix.dirname(name));
      }
    } catch (error) {
      if (!(error instanceof Error) || !('syscall' in error)) throw error;
      throw fileError(path, systemProblem(error), 'Make it readable', error);
    }
    if (this.#rows.size > before) return;
    throw fileError(path, 'has no rows', 'Write one row per image, or remove it');
  }

  #add({ line, values }: Row, path: string, below: string): void {
    for (const column in values) this.#columns.add(column);
    const column = this.#column(values, FILE_NAME, 'others');
    const file = this.#imagePath(column === undefined ? undefined : values[column], path, line, below);
    if (this.#rows.has(file)) {
      throw fileError(path, `line ${line}: ${file} comes a second time`, 'Keep one row per image');
    }
    this.#rows.set(file, { ...this.#captions(values, path, line), ...this.#label(values, path, line) });
  }

  /** The first of the wanted columns that has a value in this row. */
  #column(values: Row['values'], wanted: readonly string[], use: keyof Metadata['used']): string | undefined {
    const column = findValue(values, wanted);
    if (column !== undefined) this.#used[use].add(column);
    return column;
  }

  #imagePath(value: unknown, path: string, line: number, below: string): string {
    if (typeof value !== 'string' || value === '') {
      const advice = 'Give the path of the image, relative to the folder';
      throw fileError(path, `line ${line}: has no file_name`, advice);
    }
    const file = posix.normalize(value.replaceAll('\\', '/'));
    if (file === '..' || file.startsWith('../') || file.startsWith('/') || /^[a-zA-Z]:/.test(file)) {
      const problem = `line ${line}: file_name ${value} leads out of the folder`;
      throw fileError(path, problem, 'Give paths relative to the folder, and keep the images in it');
    }
    const inFolder = posix.join(below, file);
    const trimmed = posix.join(below, file.trim());
    return !this.#images.has(inFolder) && this.#images.has(trimmed) ? trimmed : inFolder;
  }

  #captions(values: Row['values'], path: string, line: number): Pick<MetadataRow, 'captions'> {
    const column = this.#column(values, this.#wanted.captions, 'captions');
    if (column === undefined) return {};
    const captions = toCaptions(values[column], (): RectiflowError => {
      const problem = `line ${line}: ${column} is ${JSON.stringify(values[column])}`;
      return fileError(path, problem, 'Captions must be text, or a list of texts');
    });
    return captions === undefined ? {} : { captions };
  }

  #label(values: Row['values'], path: string, line: number): Pick<MetadataRow, 'label'> {
    const column = this.#column(values, this.#wanted.labels, 'labels');
    const label = column === undefined ? '' : values[column];
    if (typeof label === 'string') return label.trim() === '' ? {} : { label: label.trim() };
    if (typeof label === 'number' && Number.isSafeInteger(label) && label >= 0) return { label };
    const problem = `line ${line}: ${column} is ${JSON.stringify(label)}`;
    throw fileError(path, problem, 'Labels must be names, or whole numbers from 0');
  }
}

async function* csvRows(path: string): AsyncGenerator<Row, void, void> {
  let header: readonly string[] | undefined;
  for (const { line, fields } of parseCsv(await readText(path, 'Make it readable'), path)) {
    if (header === undefined) {
      header = fields.map((column) => column.trim());
      if (findColumn(header, FILE_NAME) === undefined) throw withoutFileName(path, header);
      continue;
    }
    // Tables leave such rows behind.
    if (fields.every((field) => field.trim() === '')) continue;
    if (fields.length !== header.length) {
      const problem = `line ${line}: has ${fields.length} fields, the first line ${header.length}`;
      throw fileError(path, problem, 'Quote fields that hold commas');
    }
    yield { line, values: Object.fromEntries(header.map((column, i) => [column, fields[i]])) };
  }
}

function withoutFileName(path: string, header: readonly string[]): RectiflowError {
  const [first = ''] = header;
  const divider = [';', '\t'].find((mark) => header.length === 1 && first.includes(mark));
  const advice =
    divider === undefined
      ? 'Name the columns in the first line, file_name among them'
      : `Divide fields by commas, not by ${divider === ';' ? 'semicolons' : 'tabs'}`;
  return fileError(path, `has no column file_name, only ${header.join(', ')}`, advice);
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
      const advice = 'Write {"file_name": ..., "text": ...} on each line';
      throw fileError(path, `line ${line}: is no object`, advice);
    }
    yield { line, values: values as Record<string, unknown> };
  }
}
