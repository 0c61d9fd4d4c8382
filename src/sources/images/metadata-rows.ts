// The rows of metadata files, of any form.
import { extname } from 'node:path';
import { readText } from '../../host/read-file.ts';
import { type RectiflowError, fileError } from '../../tensor/errors.ts';
import { type AnnotationColumns, findColumn } from '../annotation-columns.ts';
import { parseCsv } from '../../formats/csv.ts';
import { FilePool } from '../../host/file-pool.ts';
import { textLines } from '../../formats/text-lines.ts';

export interface MetadataLine {
  /** `line 3`, `row 2` */
  readonly where: string;
  /** By column; undefined where one is not read. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** The column of the path of an image. */
export const FILE_NAME: readonly string[] = ['file_name'];

/**
 * @param wanted the columns of captions and labels, which are all that is read of a Parquet file, beside the paths
 * @throws RectiflowError naming the line that is none; what the operating system throws as it is
 */
export function rowsOf(path: string, wanted: AnnotationColumns): AsyncGenerator<MetadataLine, void, void> {
  switch (extname(path).toLowerCase()) {
    case '.csv':
      return csvRows(path);
    case '.parquet':
      return parquetRows(path, [...FILE_NAME, ...wanted.captions, ...wanted.labels]);
    default:
      return jsonRows(path);
  }
}

async function* csvRows(path: string): AsyncGenerator<MetadataLine, void, void> {
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
    yield {
      where: `line ${line}`,
      values: Object.fromEntries(header.map((column, i) => [column, fields[i]])),
    };
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

async function* jsonRows(path: string): AsyncGenerator<MetadataLine, void, void> {
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
    yield { where: `line ${line}`, values: values as Record<string, unknown> };
  }
}

async function* parquetRows(
  path: string,
  wanted: readonly string[],
): AsyncGenerator<MetadataLine, void, void> {
  const { ParquetFile } = await import('../parquet/file.ts');
  const pool = new FilePool();
  try {
    const file = await ParquetFile.open(path, pool);
    const names = file.columnNames;
    if (findColumn(names, FILE_NAME) === undefined) throw withoutFileName(path, names);
    const unread = Object.fromEntries(names.map((name) => [name, undefined]));
    const read = names.filter((name) => findColumn([name], wanted) !== undefined);
    for (let group = 0; group < file.groups.length; group++) {
      const start = file.groups.start(group);
      const size = file.groups.size(group);
      const columns: [string, unknown[]][] = [];
      for (const name of read) columns.push([name, await file.read(name, start, start + size)]);
      for (let i = 0; i < size; i++) {
        const given = columns.map(([name, values]) => [name, plainValue(values[i])] as const);
        yield { where: `row ${start + i}`, values: { ...unread, ...Object.fromEntries(given) } };
      }
    }
  } finally {
    await pool.close();
  }
}

/** Whole numbers of 64 bits as others. */
function plainValue(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
