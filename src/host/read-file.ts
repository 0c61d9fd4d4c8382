import type { FileHandle } from 'node:fs/promises';
import { openRegular, readRegular } from './regular-file.ts';
import { RectiflowError, fileError, systemProblem } from '../tensor/errors.ts';
import { decodeText } from '../tensor/text.ts';

/** One read call handles at most 2 GiB. */
const READ_BYTES = 1 << 30;
/** What becomes one string; twice as much would be more than a string can hold. */
const MOST_TEXT = 256 << 20;

/**
 * Opens a file to read, and closes it whatever happens.
 * @throws RectiflowError naming the file, in place of what the operating system throws
 */
export async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined;
  try {
    file = await openRegular(path);
    return await use(file);
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    throw fileError(path, systemProblem(error), 'Check the path', error);
  } finally {
    await file?.close();
  }
}

/**
 * Fills `target` with the bytes from `position` on.
 * @throws RectiflowError where the file ends before
 */
export async function readFully(
  file: FileHandle,
  target: Uint8Array,
  position: number,
  path: string,
): Promise<void> {
  for (let done = 0; done < target.length;) {
    const wanted = Math.min(READ_BYTES, target.length - done);
    const { bytesRead } = await file.read(target, done, wanted, position + done);
    if (bytesRead === 0) {
      throw fileError(
        path,
        `ends at byte ${position + done} while it is read`,
        'Is another process writing it?',
      );
    }
    done += bytesRead;
  }
}

/**
 * A text file in UTF-8, without the byte order mark that it may begin with.
 * @param advice what to do where it cannot be read
 * @param most bytes that it may have
 * @throws RectiflowError naming the file: not readable, too large, or text in another encoding
 */
export async function readText(path: string, advice: string, most: number = MOST_TEXT): Promise<string> {
  const bytes = await readRegular(path, most).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), advice, error);
  });
  return decodeText(bytes, path);
}
