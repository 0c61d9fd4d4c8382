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

/** A program's share of the arena, until it is released. */
export interface Arena {
  /** Where an offset of the program's memory plan is. */
  at(offset: number): Region;
  release(): void;
}

/**
 * Gives the largest arena so far to all programs that fit into it: two programs of a backend never run at once. What no program holds
 * any more is given back with the last one that does.
 */
export class SharedArena {
  readonly #native: Pick<Native, 'allocate' | 'release'>;
  readonly #piece: number;
  /** The largest so far. */
  readonly #pieces: (ArrayBuffer | undefined)[] = [];
  /** How many programs hold a piece: one of the largest, or one that was until larger ones were wanted. */
  readonly #holders = new Map<ArrayBuffer, number>();

  /** @param piece as in `planPieces` */
  constructor(native: Pick<Native, 'allocate' | 'release'>, piece: number = pieceBytes) {
    this.#native = native;
    this.#piece = piece;
  }

  /** Makes memory ready for a program whose plan is so large. */
  reserve(bytes: number): void {
    for (let i = 0; i * this.#piece < bytes; i++) {
      const wanted = Math.min(this.#piece, bytes - i * this.#piece);
      if ((this.#pieces[i]?.byteLength ?? 0) >= wanted) continue;
      this.#drop(i);
      this.#pieces[i] = allocate(this.#native, wanted);
    }
  }

  lease(bytes: number): Arena {
    this.reserve(bytes);
    const held = this.#pieces.slice(0, Math.ceil(bytes / this.#piece)) as ArrayBuffer[];
    for (const piece of held) this.#holders.set(piece, (this.#holders.get(piece) ?? 0) + 1);
    return {
      at: (offset) => ({ memory: held[Math.floor(offset / this.#piece)]!, offset: offset % this.#piece }),
      release: () => this.#release(held),
    };
  }

  /** Gives back what no program holds. */
  clear(): void {
    for (const i of this.#pieces.keys()) this.#drop(i);
    this.#pieces.length = 0;
  }

  #release(held: readonly ArrayBuffer[]): void {
    for (const piece of held) {
      const others = this.#holders.get(piece)! - 1;
      if (others > 0) {
        this.#holders.set(piece, others);
        continue;
      }
      this.#holders.delete(piece);
      if (!this.#pieces.includes(piece)) this.#native.release(piece);
    }
    if (this.#holders.size === 0) this.clear();
  }

  #drop(i: number): void {
    const piece = this.#pieces[i];
    this.#pieces[i] = undefined;
    if (piece !== undefined && !this.#holders.has(piece)) this.#native.release(piece);
  }
}
