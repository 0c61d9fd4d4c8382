// Ranks of several machines keep one run: its folder is on a file system that all of them share.
import { RectiflowError, fileError } from '../../tensor/errors.ts';

/** Codes of the system for what is not there. */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ESTALE']);

/**
 * Reads or writes what rank 0 made.
 * @throws RectiflowError that says so where this rank does not see it
 */
export async function seeing<T>(path: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    const { code } = (error instanceof RectiflowError ? (error.cause ?? {}) : error) as NodeJS.ErrnoException;
    throw code !== undefined && absent.has(code)
      ? notShared(path, 'is not there, though rank 0 made it', error)
      : error;
  }
}

/** @param problem what this rank sees in place of what rank 0 made */
export function notShared(path: string, problem: string, cause?: unknown): RectiflowError {
  const advice = 'Ranks need a file system that all of their machines share: keep the run there';
  return fileError(path, problem, advice, cause);
}
