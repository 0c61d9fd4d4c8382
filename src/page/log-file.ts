// Pieces of a log that another process appends to, and that may be cut or made anew at any time.
import { type FileHandle, open } from 'node:fs/promises';
import { checkRegular } from '../host/regular-file.ts';

const NEWLINE = 10;

/** What tells a file from another one, or from what it was. */
export interface FileMark {
  readonly inode: number;
  readonly size: number;
  readonly modified: number;
}

/** A file that is open, and how much of it was read. */
export class OpenLog {
  readonly mark: FileMark;
  readonly #file: FileHandle;
  readonly #count: (bytes: number) => void;

  private constructor(file: FileHandle, mark: FileMark, count: (bytes: number) => void) {
    this.#file = file;
    this.mark = mark;
    this.#count = count;
  }

  /** @param count hears how many bytes are read @throws what the operating system says */
  static async with<T>(
    path: string,
    use: (log: OpenLog) => Promise<T>,
    count: (bytes: number) => void = () => {},
  ): Promise<T> {
    await checkRegular(path);
    const file = await open(path, 'r');
    try {
      const { ino, size, mtimeMs } = await file.stat();
      return await use(new OpenLog(file, { inode: ino, size, modified: mtimeMs }, count));
    } finally {
      await file.close();
    }
  }

  /** The bytes from `start` up to `end`, fewer where the file ends before. */
  async read(start: number, end: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.max(0, end - start));
    let filled = 0;
    while (filled < buffer.length) {
      const { bytesRead } = await this.#file.read(buffer, filled, buffer.length - filled, start + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
      this.#count(bytesRead);
    }
    return buffer.subarray(0, filled);
  }

  /** The whole lines at the end, as far as they are among the last `most` bytes. */
  async tail(most: number): Promise<string[]> {
    const start = Math.max(0, this.mark.size - most);
    const bytes = await this.read(start, this.mark.size);
    const first = start === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
    const end = bytes.lastIndexOf(NEWLINE);
    return end < first ? [] : bytes.toString('utf8', first, end).split('\n');
  }
}

/** How many bytes before a place are compared, to see whether a file is still what it was up to there. */
export const compared = 64;

/** What is before a place in a file, to be recognised. */
export async function seamAt(log: OpenLog, offset: number): Promise<string> {
  return (await log.read(Math.max(0, offset - compared), offset)).toString('base64url');
}

/** Whole lines of a piece of a file, and where the next one begins. */
export interface Lines {
  readonly lines: readonly string[];
  readonly next: number;
}

/** Of lines that are read one after the other. A longer one is no record. */
const longestLine = 4 << 20;

/** Lines from `start` on, at least one where the file has one, in a piece of about `bytes` bytes; none at the end of the file. */
export async function linesFrom(log: OpenLog, start: number, bytes: number): Promise<Lines> {
  const { size } = log.mark;
  for (let length = bytes; ; length *= 2) {
    const end = Math.min(size, start + length);
    const piece = await log.read(start, end);
    const last = piece.lastIndexOf(NEWLINE);
    if (last >= 0) return { lines: piece.toString('utf8', 0, last).split('\n'), next: start + last + 1 };
    if (end === size) return { lines: [], next: start };
    // What is passed over here is counted as a line that is no record.
    if (length >= longestLine) return { lines: [''], next: end };
  }
}
