// A small file of JSON that is read and replaced as a whole.
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemProblem } from '../tensor/errors.ts';
import { replaceDurably } from './durable.ts';
import { readRegular } from './regular-file.ts';

/** More is not what such a file holds. */
const mostBytes = 2 ** 24;

/**
 * @returns its content; undefined where there is no such file
 * @throws Error with the problem in words, without the path
 */
export async function readJsonFile(path: string): Promise<unknown> {
  let bytes: Buffer;
  try {
    bytes = await readRegular(path, mostBytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(systemProblem(error), { cause: error });
  }
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new Error('it is damaged, as it is no JSON', { cause: error });
  }
}

/**
 * Whoever reads it, and whatever crashes, finds the old content or the new.
 * @param makesFolder whether the folder is made where there is none
 * @throws Error with the problem in words, without the path
 */
export async function writeJsonFile(path: string, content: unknown, makesFolder = false): Promise<void> {
  try {
    if (makesFolder) await mkdir(dirname(path), { recursive: true });
    await replaceDurably(path, `${JSON.stringify(content, null, 2)}\n`);
  } catch (error) {
    throw new Error(systemProblem(error), { cause: error });
  }
}
