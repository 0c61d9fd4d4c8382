import { stat } from 'node:fs/promises';
import { parquetMetadataAsync, parquetReadObjects, parquetSchema, readOffsetIndex } from 'hyparquet';
import type { AsyncBuffer, ColumnChunk, Compressors, FileMetaData, SchemaTree } from 'hyparquet';
import { RectiflowError, fileError, systemProblem } from '../../tensor/errors.ts';
import { didYouMean } from '../../tensor/suggest.ts';
import { decodeText } from '../../tensor/text.ts';
import type { FilePool } from '../../host/file-pool.ts';
import { Parts } from '../parts.ts';
import { loadCodecs } from './codecs.ts';

/** What stands at both ends of a Parquet file. */
const MAGIC = 'PAR1';
const REPLACE = 'Fetch it again';

/** A Parquet file of which columns can be read by ranges of rows. */
export class ParquetFile {
  readonly path: string;
  readonly rows: number;
  /** Of the file. */
  readonly size: number;
  /** Rows are stored in groups, each column of a group in one piece. */
  readonly groups: Parts;
  readonly #buffer: AsyncBuffer;
  readonly #metadata: FileMetaData;
  readonly #columns: ReadonlyMap<string, SchemaTree>;
  readonly #pages = new Map<string, Promise<number>>();
  readonly #compressors = new Map<string, Promise<Compressors>>();

  private constructor(path: string, buffer: AsyncBuffer, metadata: FileMetaData) {
    this.path = path;
    this.groups = new Parts(metadata.row_groups.map((group) => Number(group.num_rows)));
    this.rows = this.groups.count;
    this.size = buffer.byteLength;
    this.#buffer = buffer;
    this.#metadata = metadata;
    this.#columns = new Map(parquetSchema(metadata).children.map((column) => [column.element.name, column]));
  }

  /**
   * Reads what the file says of itself at its end.
   * @throws RectiflowError naming the file: missing, no Parquet, truncated, damaged
   */
  static async open(path: string, pool: FilePool): Promise<ParquetFile> {
    const size = await stat(path).then(
      (found) => found.size,
      (error: unknown) => {
        throw fileError(path, systemProblem(error), 'Check the path', error);
      },
    );
    await checkMagic(path, size, pool);
    const buffer = bufferOf(path, size, pool);
    const metadata = await orDamaged(path, () => parquetMetadataAsync(buffer, { geoparquet: false }));
    return orDamaged(path, () => {
      checkGroups(metadata);
      checkPlaces(metadata, size);
      return new ParquetFile(path, buffer, metadata);
    });
  }

  get columnNames(): string[] {
    return [...this.#columns.keys()];
  }

  has(column: string): boolean {
    return this.#columns.has(column);
  }

  /**
   * @throws RectiflowError that lists the columns there are, where this one is none of them
   */
  column(name: string, setting: string): SchemaTree {
    const column = this.#columns.get(name);
    if (column !== undefined) return column;
    const names = this.columnNames;
    const problem = `has no column "${name}"; it has ${names.map((other) => `"${other}"`).join(', ')}`;
    throw fileError(this.path, problem, `Set data.${setting}.${didYouMean(name, names)}`);
  }

  /** What a column takes in memory, in bytes, in one group of rows. */
  columnBytes(column: string, group: number): number {
    return this.#chunks(column, group).reduce(
      (sum, { meta_data }) => sum + Number(meta_data!.total_uncompressed_size),
      0,
    );
  }

  /** In how many pages a group has the column, each of which can be read alone; 1 where the file has no index of them. */
  pageCount(column: string, group: number): Promise<number> {
    const key = `${group}\0${column}`;
    let pages = this.#pages.get(key);
    if (pages === undefined) {
      pages = orDamaged(this.path, () => this.#countPages(column, group));
      this.#pages.set(key, pages);
    }
    return pages;
  }

  /** Whether the file says that the column has a value in each row. Files need not say. */
  isComplete(column: string): boolean {
    return this.#metadata.row_groups.every((_, group) =>
      this.#chunks(column, group).every(
        ({ meta_data }) => Number(meta_data!.statistics?.null_count ?? 1) === 0,
      ),
    );
  }

  /** A value of the key-value metadata. */
  metadata(key: string): string | undefined {
    return this.#metadata.key_value_metadata?.find((entry) => entry.key === key)?.value;
  }

  /**
   * Loads what decompresses a column.
   * @throws RectiflowError where there is nothing that does
   */
  prepare(column: string): Promise<Compressors> {
    let compressors = this.#compressors.get(column);
    if (compressors === undefined) {
      const chunks = this.#metadata.row_groups.flatMap((_, group) => this.#chunks(column, group));
      compressors = loadCodecs(new Set(chunks.map(({ meta_data }) => meta_data!.codec)), this.path);
      this.#compressors.set(column, compressors);
    }
    return compressors;
  }

  /**
   * A column's values in rows [start, end). Binary values are bytes, texts strings; a text that is no UTF-8 is left as bytes,
   * so that whoever reads it can name its row.
   * @throws RectiflowError naming the file, where it is damaged
   */
  async read(column: string, start: number, end: number): Promise<unknown[]> {
    const rows = await orDamaged(this.path, async () =>
      parquetReadObjects({
        file: this.#buffer,
        metadata: this.#metadata,
        columns: [column],
        rowStart: start,
        rowEnd: end,
        utf8: false,
        useOffsetIndex: end - start < this.rows,
        compressors: await this.prepare(column),
        parsers: { stringFromBytes: textOrBytes },
      }),
    );
    if (rows.length === end - start) return rows.map((row) => row[column] as unknown);
    throw fileError(
      this.path,
      `is damaged: rows ${start} to ${end} of "${column}" are ${rows.length}`,
      REPLACE,
    );
  }

  async #countPages(column: string, group: number): Promise<number> {
    const chunks = this.#chunks(column, group);
    // Of a struct the largest part counts.
    const size = ({ meta_data }: ColumnChunk): number => Number(meta_data!.total_uncompressed_size);
    const largest = chunks.reduce((a, b) => (size(b) > size(a) ? b : a));
    const { offset_index_offset: offset, offset_index_length: length } = largest;
    if (offset === undefined || length === undefined) return 1;
    const index = await this.#buffer.slice(Number(offset), Number(offset) + length);
    return readOffsetIndex({ view: new DataView(index), offset: 0 }).page_locations.length;
  }

  #chunks(column: string, group: number): ColumnChunk[] {
    const { columns } = this.#metadata.row_groups[group]!;
    return columns.filter(({ meta_data }) => meta_data?.path_in_schema[0] === column);
  }
}

function textOrBytes(bytes: Uint8Array | undefined): string | Uint8Array | undefined {
  try {
    return bytes && decodeText(bytes, 'text');
  } catch {
    return bytes;
  }
}

async function checkMagic(path: string, size: number, pool: FilePool): Promise<void> {
  const magicAt = async (position: number): Promise<string> =>
    Buffer.from(await pool.read(path, position, Math.min(4, size))).toString('latin1');
  if (size < 4 || (await magicAt(0)) !== MAGIC) {
    throw fileError(path, `is no Parquet file: it does not start with ${MAGIC}`, 'Check the path');
  }
  if (size < 12 || (await magicAt(size - 4)) !== MAGIC) {
    throw fileError(path, `is truncated: it does not end with ${MAGIC}`, REPLACE);
  }
}

/** The file as hyparquet reads it. */
function bufferOf(path: string, size: number, pool: FilePool): AsyncBuffer {
  const read = async (start: number, end: number): Promise<ArrayBuffer> => {
    if (start < 0 || end > size || start > end) {
      throw new Error(`bytes ${start} to ${end} are wanted, the file has ${size}`);
    }
    return (await pool.read(path, start, end - start)).buffer;
  };
  return {
    byteLength: size,
    slice(start, end = size) {
      const bytes = read(start, end);
      // hyparquet starts several reads and gives up at the first that fails: the others fail unheard.
      bytes.catch(() => {});
      return bytes;
    },
  };
}

/**
 * Checks what is relied upon of that which hyparquet takes from the file as it is. Each group must have the columns of the
 * schema: of one that has not, hyparquet would leave reads behind that fail unheard.
 */
function checkGroups(metadata: FileMetaData): void {
  const wanted = leafPaths(parquetSchema(metadata)).toSorted();
  for (const { num_rows: rows, columns } of metadata.row_groups) {
    if (!isSize(rows)) throw new Error(`a group of rows has ${rows} rows`);
    const found = columns.map(({ meta_data: chunk }) => JSON.stringify(chunk?.path_in_schema)).toSorted();
    if (found.join() !== wanted.join()) throw new Error('the columns of a group are not those of the schema');
    for (const { meta_data: chunk } of columns) {
      if (!isSize(chunk!.total_uncompressed_size)) throw new Error('a column has no size');
      if (chunk!.codec === undefined) throw new Error('a column is compressed in an unknown way');
    }
  }
}

/**
 * A small file may say that it has more rows than anybody could count, or that all its groups are the same bytes.
 * @param size of the file, in bytes
 */
function checkPlaces({ row_groups: groups }: FileMetaData, size: number): void {
  const rows = groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
  // An image takes a byte at least.
  if (rows > size) throw new Error(`it says that it has ${rows} rows, and has ${size} bytes`);
  const places = groups.flatMap(({ columns }) =>
    columns.map(({ meta_data: chunk }) => {
      const starts = [chunk!.dictionary_page_offset, chunk!.data_page_offset].map(Number);
      const start = Math.min(...starts.filter((offset) => offset > 0));
      return [start, start + Number(chunk!.total_compressed_size)] as const;
    }),
  );
  let end = 0;
  for (const [from, to] of places.toSorted(([a], [b]) => a - b)) {
    if (from < end) throw new Error(`two columns lie at byte ${from}`);
    end = to;
  }
}

function leafPaths({ children, path, element }: SchemaTree): string[] {
  if (typeof element.name !== 'string') throw new Error('a column has no name');
  return children.length === 0 ? [JSON.stringify(path)] : children.flatMap(leafPaths);
}

function isSize(value: unknown): boolean {
  return (
    (typeof value === 'bigint' || typeof value === 'number') &&
    value >= 0 &&
    Number.isSafeInteger(Number(value))
  );
}

/** Whatever hyparquet stumbles over is damage. */
async function orDamaged<T>(path: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    throw fileError(path, `cannot be read as Parquet (${(error as Error).message})`, REPLACE, error);
  }
}
