import type { FileHandle } from 'node:fs/promises';
import { openRegular } from './regular-file.ts';
import { readFully } from './read-file.ts';
import { RectiflowError, fileError, systemProblem } from '../tensor/errors.ts';

/** Far below the 256 that the strictest of today's systems allow a process. */
const MOST_OPEN = 64;

interface Entry {
  readonly file: Promise<FileHandle>;
  /** Reads under way. */
  users: number;
}

/** Reads ranges of many files with a bounded number of them open: those that were used last stay so. */
export class FilePool {
  /** The least recently used first. */
  readonly #entries = new Map<string, Entry>();
  #most: number;

  constructor(most: number = MOST_OPEN) {
    this.#most = most;
  }

  /**
   * Several reads may be under way at once, of one file too.
   * @throws RectiflowError naming the file
   */
  async read(path: string, position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    await this.fill(path, position, bytes);
    return bytes;
  }

  /** The same into memory that is there. */
  async fill(path: string, position: number, target: Uint8Array): Promise<void> {
    const entry = this.#take(path);
    entry.users++;
    try {
      await readFully(await entry.file, target, position, path);
    } catch (error) {
      if (error instanceof RectiflowError) throw error;
      throw fileError(path, systemProblem(error), 'Check the file and the disk', error);
    } finally {
      entry.users--;
      this.#shrink();
    }
  }

  /** Closes all files. A read after it opens its file anew, and closes it behind itself. */
  async close(): Promise<void> {
    this.#most = 0;
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map(async ({ file }) => (await file.catch(() => undefined))?.close()));
  }

  #take(path: string): Entry {
    const known = this.#entries.get(path);
    if (known !== undefined) this.#entries.delete(path);
    const entry = known ?? { file: this.#open(path), users: 0 };
    this.#entries.set(path, entry);
    return entry;
  }

  #open(path: string): Promise<FileHandle> {
    const file = openRegular(path);
    // One that could not be opened is tried again by the next read.
    file.catch(() => this.#entries.delete(path));
    return file;
  }

  #shrink(): void {
    for (const [path, entry] of this.#entries) {
      if (this.#entries.size <= this.#most) return;
      if (entry.users > 0) continue;
      this.#entries.delete(path);
      void entry.file.then((file) => file.close()).catch(() => {});
    }
  }
}

/** Opens a source on a pool, which the source closes; where opening it fails, nothing stays open. */
export async function withPool<T>(use: (pool: FilePool) => Promise<T>): Promise<T> {
  const pool = new FilePool();
  try {
    return await use(pool);
  } catch (error) {
    await pool.close();
    throw error;
  }
}
