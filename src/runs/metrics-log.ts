import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { readRegular } from '../host/regular-file.ts';
import { type RectiflowError, fileError, systemProblem } from '../tensor/errors.ts';
import { type MetricsRecord, bytesUpTo, formatRecord, parseRecords } from '../kept/metrics-lines.ts';

/**
 * Appends records to metrics.jsonl, each a whole line. One writer at a time; wait for an append before the next. A line that
 * cannot be written must not end a training: the first one is told, the file then ends with the line before, and the next
 * record is tried again. The file is opened for each: one that stays open takes lines also when nobody can find it any more.
 */
export class MetricsLog {
  /** What was there of later steps, before it was opened. */
  readonly dropped: readonly MetricsRecord[];
  readonly #path: string;
  readonly #onFailure: (problem: RectiflowError) => void;
  #size: number;
  #hasFailed = false;

  private constructor(
    path: string,
    kept: { readonly size: number; readonly dropped: readonly MetricsRecord[] },
    onFailure: (problem: RectiflowError) => void,
  ) {
    this.#path = path;
    this.#size = kept.size;
    this.dropped = kept.dropped;
    this.#onFailure = onFailure;
  }

  /**
   * Opens the log to go on after `step`: what a run wrote past the checkpoint that it resumes from is dropped, and so is a
   * last line that a crash cut.
   * @param step 0 for a new run
   * @param onFailure called once at most when a line cannot be written, and when the file was deleted
   * @throws RectiflowError when the file cannot be opened
   */
  static async open(
    path: string,
    step: number,
    onFailure: (problem: RectiflowError) => void,
  ): Promise<MetricsLog> {
    try {
      await (await open(path, 'a')).close();
      return await withOpen(path, async (file) => {
        const all = await file.readFile();
        const size = bytesUpTo(all, step);
        await file.truncate(size);
        return new MetricsLog(path, { size, dropped: parseRecords(all.subarray(size)).records }, onFailure);
      });
    } catch (error) {
      throw fileError(path, systemProblem(error), 'Check the path and the disk', error);
    }
  }

  async append(record: MetricsRecord): Promise<void> {
    const line = Buffer.from(formatRecord(record));
    const write = (): Promise<void> => withOpen(this.#path, (file) => this.#write(file, line));
    try {
      await write().catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
        await this.#remake();
        await write();
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  async #write(file: FileHandle, line: Buffer): Promise<void> {
    // It may be shorter than it was, by somebody's hand: then there must be no hole in it.
    const end = Math.min(this.#size, (await file.stat()).size);
    try {
      for (let done = 0; done < line.length;) {
        done += (await file.write(line, done, line.length - done, end + done)).bytesWritten;
      }
    } catch (error) {
      await file.truncate(end).catch(() => {});
      throw error;
    }
    this.#size = end + line.length;
  }

  /** Flushes to the disk. */
  async sync(): Promise<void> {
    await withOpen(this.#path, (file) => file.sync()).catch((error: unknown) => this.#fail(error));
  }

  /** Begins a new file in place of one that was deleted. */
  async #remake(): Promise<void> {
    await (await open(this.#path, 'wx')).close();
    this.#size = 0;
    const advice = 'Training goes on with a new one, without the lines before';
    this.#onFailure(fileError(this.#path, 'was deleted', advice));
  }

  #fail(error: unknown): void {
    // A file that is missing is made anew with the next line; without its folder, the run has been lost and ends by itself.
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (this.#hasFailed || isMissing) return;
    this.#hasFailed = true;
    const problem = `a line cannot be written: ${systemProblem(error)}`;
    const advice = 'Training goes on, and lines will be missing until the disk takes them again';
    this.#onFailure(fileError(this.#path, problem, advice, error));
  }
}

/**
 * The records of a log, also of one that is being written or was cut by a crash.
 * @returns the records, and how many lines were no records and were left out
 */
export async function readMetrics(path: string): Promise<{ records: MetricsRecord[]; damaged: number }> {
  const log = await readRegular(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), 'Check the path', error);
  });
  return parseRecords(log);
}

/** Not opened for appending: that ignores positions, and a line that was cut by a full disk must be overwritten. */
async function withOpen<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, 'r+');
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
