import type { ParquetFile } from './file.ts';

const CACHE_BYTES = 256 << 20;
/** Of groups with fewer pages, reading the whole costs little more than reading one, and serves the rows beside. */
export const MANY_PAGES = 4;

interface Group {
  readonly values: Promise<unknown[]>;
  readonly bytes: number;
}

/**
 * Single values of Parquet files, read in any order. Pages of a column are compressed as a whole, so a value costs at least
 * its page, and without an index of pages its group of rows. Groups that were read stay in memory up to a bound. A larger set
 * is read a page at a time where its files have an index of many, else a group at a time, which in a shuffled order is slow.
 */
export class RowReader {
  /** The least recently used first. */
  readonly #groups = new Map<string, Group>();
  readonly #bound: number;
  readonly #isSmall: boolean;
  #bytes = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(files: readonly ParquetFile[], columns: readonly string[], bound: number = CACHE_BYTES) {
    this.#bound = bound;
    let total = 0;
    for (const file of files) {
      for (const column of columns) {
        for (let group = 0; group < file.groups.length; group++) total += file.columnBytes(column, group);
      }
    }
    this.#isSmall = total <= bound;
  }

  async value(file: ParquetFile, column: string, row: number): Promise<unknown> {
    const [group, within] = file.groups.locate(row);
    if (!this.#isSmall && (await file.pageCount(column, group)) >= MANY_PAGES) {
      return (await file.read(column, row, row + 1))[0];
    }
    return (await this.#group(file, column, group).values)[within];
  }

  #group(file: ParquetFile, column: string, group: number): Group {
    const key = `${column}\0${group}\0${file.path}`;
    const known = this.#groups.get(key);
    if (known !== undefined) {
      this.#groups.delete(key);
      this.#groups.set(key, known);
      return known;
    }
    const start = file.groups.start(group);
    const end = start + file.groups.size(group);
    const read = {
      values: this.#queue(() => file.read(column, start, end)),
      bytes: file.columnBytes(column, group),
    };
    this.#groups.set(key, read);
    this.#bytes += read.bytes;
    read.values.catch(() => this.#forget(key, read));
    for (const [oldKey, old] of this.#groups) {
      if (this.#bytes <= this.#bound || old === read) break;
      this.#forget(oldKey, old);
    }
    return read;
  }

  #forget(key: string, group: Group): void {
    if (this.#groups.get(key) !== group) return;
    this.#groups.delete(key);
    this.#bytes -= group.bytes;
  }

  /** One after the other: groups are decoded on this thread anyway, and several at once would only fill memory. */
  #queue<T>(read: () => Promise<T>): Promise<T> {
    const next = this.#last.then(read);
    const ended = (): void => {};
    this.#last = next.then(ended, ended);
    return next;
  }
}
