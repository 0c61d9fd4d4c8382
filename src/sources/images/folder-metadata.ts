import { dirname, isAbsolute, join, posix, relative, resolve } from 'node:path';
import { type RectiflowError, dataError, fileError, systemProblem } from '../../tensor/errors.ts';
import { shownJson } from '../../tensor/shown-json.ts';
import { didYouMean } from '../../tensor/suggest.ts';
import { type AnnotationColumns, annotationColumns, findValue, toCaptions } from '../annotation-columns.ts';
import type { AnnotationFiles } from '../settings.ts';
import type { Captions } from '../../data/source.ts';
import { FILE_NAME, type MetadataLine, rowsOf } from './metadata-rows.ts';

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

/**
 * Reads metadata.jsonl, .csv and .parquet in the form of Hugging Face's imagefolder: file_name, relative to the folder of the
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
      for await (const row of rowsOf(path, this.#wanted)) {
        this.#add(row, path, posix.dirname(name));
      }
    } catch (error) {
      if (!(error instanceof Error) || !('syscall' in error)) throw error;
      throw fileError(path, systemProblem(error), 'Make it readable', error);
    }
    if (this.#rows.size > before) return;
    throw fileError(path, 'has no rows', 'Write one row per image, or remove it');
  }

  #add({ where, values }: MetadataLine, path: string, below: string): void {
    for (const column in values) this.#columns.add(column);
    const column = this.#column(values, FILE_NAME, 'others');
    const file = this.#imagePath(column === undefined ? undefined : values[column], path, where, below);
    if (this.#rows.has(file)) {
      throw fileError(path, `${where}: ${file} comes a second time`, 'Keep one row per image');
    }
    this.#rows.set(file, { ...this.#captions(values, path, where), ...this.#label(values, path, where) });
  }

  /** The first of the wanted columns that has a value in this row. */
  #column(
    values: MetadataLine['values'],
    wanted: readonly string[],
    use: keyof Metadata['used'],
  ): string | undefined {
    const column = findValue(values, wanted);
    if (column !== undefined) this.#used[use].add(column);
    return column;
  }

  #imagePath(value: unknown, path: string, where: string, below: string): string {
    if (typeof value !== 'string' || value === '') {
      const advice = 'Give the path of the image, relative to the folder';
      throw fileError(path, `${where}: has no file_name`, advice);
    }
    const given = isAbsolute(value) ? relative(dirname(resolve(path)), value) : value;
    const file = posix.normalize(given.replaceAll('\\', '/'));
    // An absolute one may lie beside the file's own folder, and in the whole one all the same.
    if (isAbsolute(value) && this.#images.has(posix.join(below, file))) return posix.join(below, file);
    if (file === '..' || file.startsWith('../') || file.startsWith('/') || /^[a-zA-Z]:/.test(file)) {
      const problem = `${where}: file_name ${value} leads out of the folder`;
      throw fileError(path, problem, 'Give paths relative to the folder, and keep the images in it');
    }
    const inFolder = posix.join(below, file);
    const trimmed = posix.join(below, file.trim());
    return !this.#images.has(inFolder) && this.#images.has(trimmed) ? trimmed : inFolder;
  }

  #captions(values: MetadataLine['values'], path: string, where: string): Pick<MetadataRow, 'captions'> {
    const column = this.#column(values, this.#wanted.captions, 'captions');
    if (column === undefined) return {};
    const captions = toCaptions(values[column], (): RectiflowError => {
      const problem = `${where}: ${column} is ${shownJson(values[column])}`;
      return fileError(path, problem, 'Captions must be text, or a list of texts');
    });
    return captions === undefined ? {} : { captions };
  }

  #label(values: MetadataLine['values'], path: string, where: string): Pick<MetadataRow, 'label'> {
    const column = this.#column(values, this.#wanted.labels, 'labels');
    const label = column === undefined ? '' : values[column];
    if (typeof label === 'string') return label.trim() === '' ? {} : { label: label.trim() };
    if (typeof label === 'number' && Number.isSafeInteger(label) && label >= 0) return { label };
    const problem = `${where}: ${column} is ${shownJson(label)}`;
    throw fileError(path, problem, 'Labels must be names, or whole numbers from 0');
  }
}
