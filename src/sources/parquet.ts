import type { SchemaTree } from 'hyparquet';
import { fileError } from '../tensor/errors.ts';
import { annotationColumns, findColumn, mayTell, unusedColumns } from './annotation-columns.ts';
import type { BadSamplePolicy } from '../data/bad-samples.ts';
import { type FilePool, withPool } from '../host/file-pool.ts';
import { expandPaths } from '../formats/glob.ts';
import { openImageSource } from './images/image-source.ts';
import { NO_LABEL, readCaptioned, readLabels, rowError, rowName, toCaption } from './parquet/columns.ts';
import { ParquetFile } from './parquet/file.ts';
import { MANY_PAGES, RowReader } from './parquet/rows.ts';
import { listSome } from '../data/list-some.ts';
import { Parts } from './parts.ts';
import type { ParquetData } from './settings.ts';
import type { Source } from '../data/source.ts';
import type { Unused } from '../data/told.ts';

/** Of a group of rows that is decoded as a whole. */
const MOST_GROUP_BYTES = 1 << 30;

/**
 * Opens Parquet files in the form of Hugging Face: a column of images, each the bytes of a file or a struct of bytes and path;
 * one of labels, whole numbers (whose names the metadata has) or texts; one of captions, or of lists of them.
 *
 * Images are read where they are. Up to 256 MiB of them stay in memory; beyond that a shuffled order reads a whole page, or
 * where the file has no index of pages a whole group of rows, for one image: `rectiflow data pack` makes shards of them, in
 * which every image is one read.
 * @param onBadSample skip: a few rows may lack a label or a caption
 * @throws RectiflowError naming the file and the row or the column
 */
export async function openParquet(data: ParquetData, onBadSample: BadSamplePolicy = 'fail'): Promise<Source> {
  return withPool((pool) => openFiles(data, onBadSample, pool));
}

async function openFiles(data: ParquetData, onBadSample: BadSamplePolicy, pool: FilePool): Promise<Source> {
  const { path, condition, imageColumn } = data;
  const files: ParquetFile[] = [];
  for (const file of await expandPaths(path, 'Parquet files')) files.push(await ParquetFile.open(file, pool));
  for (const file of files) {
    await checkImages(file, imageColumn);
    await file.prepare(imageColumn);
  }
  refuseEmpty(data, files);
  const wanted = annotationColumns(data);
  const labelColumn = mayTell(condition, 'class')
    ? chooseColumn(files, data.labelColumn, wanted.labels, 'labelColumn')
    : undefined;
  const captionColumn = mayTell(condition, 'caption')
    ? chooseColumn(files, data.captionColumn, wanted.captions, 'captionColumn')
    : undefined;
  const isList = captionColumn !== undefined && files.some((file) => isCaptionList(file, captionColumn));
  const labels = labelColumn === undefined ? undefined : await readLabels(files, labelColumn);
  const captioned =
    captionColumn === undefined ? undefined : await readCaptioned(files, captionColumn, isList);
  const used = [imageColumn, labelColumn, captionColumn].filter((column) => column !== undefined);
  const told = { captions: captionColumn !== undefined, labels: labelColumn !== undefined };

  const parts = new Parts(files.map((file) => file.rows));
  const rows = new RowReader(
    files,
    captionColumn === undefined ? [imageColumn] : [imageColumn, captionColumn],
  );
  const locate = (index: number): readonly [ParquetFile, number] => {
    const [part, row] = parts.locate(index);
    return [files[part]!, row];
  };
  return openImageSource({
    name: typeof path === 'string' ? path : files[0]!.path,
    settings: data,
    condition,
    onBadSample,
    told: {
      label: labelColumn && `column ${labelColumn}`,
      caption: captionColumn && `column ${captionColumn}`,
      lookedFor: `a column ${wanted.captions.join(', ')}`,
    },
    unused: [...unusedColumns(columnsOf(files), used, told, condition), ...emptyFiles(files)],
    ...(labels?.classNames === undefined ? {} : { classNames: labels.classNames }),
    items: {
      count: parts.count,
      async bytes(index) {
        const [file, row] = locate(index);
        const value = await rows.value(file, imageColumn, row);
        const bytes =
          value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null | undefined)?.bytes;
        if (bytes instanceof Uint8Array) return bytes;
        throw rowError(file, row)(
          `"${imageColumn}" has no bytes`,
          'Store the images in the file, or remove the row',
        );
      },
      ...(labels === undefined
        ? {}
        : { label: (index) => (labels.labels[index] === NO_LABEL ? undefined : labels.labels[index]) }),
      ...(captionColumn === undefined
        ? {}
        : {
            caption: async (index) => {
              const [file, row] = locate(index);
              return toCaption(await rows.value(file, captionColumn, row), captionColumn, rowName(file, row));
            },
            severalCaptions: isList,
            hasCaption: (index) => captioned === undefined || captioned[index] === 1,
          }),
      describe: (index) => rowName(...locate(index)),
      // What the file has at about this row: single images are not found before pages are decoded.
      excerpt(index, bytes) {
        const [file, row] = locate(index);
        const start = Math.floor((row * file.size) / file.rows);
        return pool.read(file.path, start, Math.min(file.size - start, bytes));
      },
      close: () => pool.close(),
    },
  });
}

function refuseEmpty({ path }: ParquetData, files: readonly ParquetFile[]): void {
  if (files.some((file) => file.rows > 0)) return;
  const name = typeof path === 'string' ? path : listSome(path);
  throw fileError(name, 'holds no rows', 'Write the images into it, or set data.path to other files');
}

function emptyFiles(files: readonly ParquetFile[]): Unused[] {
  const empty = files.filter((file) => file.rows === 0).map((file) => file.path);
  return empty.length === 0 ? [] : [{ what: 'empty file', count: empty.length, examples: empty.slice(0, 5) }];
}

/** Of all files. */
function columnsOf(files: readonly ParquetFile[]): string[] {
  return [...new Set(files.flatMap((file) => file.columnNames))];
}

/** The column that is set, or else the first usual one that every file has. */
function chooseColumn(
  files: readonly ParquetFile[],
  set: string | undefined,
  usual: readonly string[],
  setting: string,
): string | undefined {
  if (set !== undefined) for (const file of files) file.column(set, setting);
  const common = columnsOf(files).filter((name) => files.every((file) => file.has(name)));
  return set ?? findColumn(common, usual);
}

async function checkImages(file: ParquetFile, name: string): Promise<void> {
  const column = file.column(name, 'imageColumn');
  if (
    !isBinary(column) &&
    !column.children.some((child) => child.element.name === 'bytes' && isBinary(child))
  ) {
    throw fileError(
      file.path,
      `"${name}" is ${typeName(column)}, wanted bytes or a struct with bytes`,
      'Set data.imageColumn',
    );
  }
  for (let group = 0; group < file.groups.length; group++) {
    const bytes = file.columnBytes(name, group);
    if (bytes <= MOST_GROUP_BYTES || (await file.pageCount(name, group)) >= MANY_PAGES) continue;
    const problem = `has ${(bytes / 2 ** 30).toFixed(1)} GiB of images in one group of rows, which is read as a whole`;
    throw fileError(file.path, problem, 'Write it again with row_group_size=100');
  }
}

/** @throws RectiflowError where the column holds neither texts nor lists of them */
function isCaptionList(file: ParquetFile, name: string): boolean {
  const column = file.column(name, 'captionColumn');
  const { element } = column;
  const isList = element.converted_type === 'LIST' || element.logical_type?.type === 'LIST';
  if (isText(isList ? innermost(column) : column)) return isList;
  throw fileError(file.path, `"${name}" is ${typeName(column)}, wanted texts`, 'Set data.captionColumn');
}

function innermost(column: SchemaTree): SchemaTree {
  return column.children.length === 1 ? innermost(column.children[0]!) : column;
}

function isText(column: SchemaTree): boolean {
  const { type, converted_type: converted, logical_type: logical } = column.element;
  return type === 'BYTE_ARRAY' && (converted === 'UTF8' || logical?.type === 'STRING');
}

function isBinary({ element }: SchemaTree): boolean {
  return element.type === 'BYTE_ARRAY' && element.repetition_type !== 'REPEATED';
}

function typeName({ element, children }: SchemaTree): string {
  if (children.length === 0) return element.converted_type ?? element.type!;
  if (element.converted_type !== undefined) return `a ${element.converted_type.toLowerCase()}`;
  return `a struct of ${children.map((child) => child.element.name).join(', ')}`;
}
