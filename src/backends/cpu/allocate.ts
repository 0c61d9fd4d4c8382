import { constants } from 'node:buffer';
import { pieceBytes } from '../../program/index.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import type { Region } from './memory.ts';
import type { Native } from './native.ts';

/** @throws RectiflowError where the system has not so much memory, or Node holds no block of that size */
export function allocate(native: Pick<Native, 'allocate'>, bytes: number): ArrayBuffer {
  try {
    return native.allocate(bytes);
  } catch (error) {
    const problem =
      bytes > constants.MAX_LENGTH
        ? `Node ${process.version} holds no more than ${showBytes(constants.MAX_LENGTH)} in one piece`
        : 'the system has not so much memory';
    throw memoryError(`${showBytes(bytes)} in one piece were wanted, but ${problem}`, error);
  }
}

/** @param problem what was wanted, and what came of it */
export function memoryError(problem: string, cause: unknown): RectiflowError {
  const advice =
    'For a training, set a smaller train.microBatch or train.memory to recompute; else take a smaller batch or model.';
  return new RectiflowError('memory', `cpu: ${problem}. ${advice}`, { cause });
}

/** `1.0 GiB`, `12.5 MiB` */
export function showBytes(bytes: number): string {
  const [unit, name] = bytes < 2 ** 30 ? [2 ** 20, 'MiB'] : [2 ** 30, 'GiB'];
  return `${(bytes / unit).toFixed(1)} ${name}`;
}

/** Where an offset of a program's memory plan is. */
export type Arena = (offset: number) => Region;

/**
 * A function that gives the largest arena so far to all programs that fit into it: two programs of a backend never run at
 * once.
 * @param piece as in `planPieces`
 */
export function sharedArena(
  native: Pick<Native, 'allocate'>,
  piece: number = pieceBytes,
): (bytes: number) => Arena {
  const pieces: ArrayBuffer[] = [];
  return (bytes) => {
    for (let i = 0; i * piece < bytes; i++) {
      const wanted = Math.min(piece, bytes - i * piece);
      if ((pieces[i]?.byteLength ?? 0) < wanted) pieces[i] = allocate(native, wanted);
    }
    const held = [...pieces];
    return (offset) => ({ memory: held[Math.floor(offset / piece)]!, offset: offset % piece });
  };
}
