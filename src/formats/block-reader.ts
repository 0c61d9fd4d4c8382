import type { FileHandle } from 'node:fs/promises';
import { readFully } from '../host/read-file.ts';

const SMALLEST = 8 << 10;
const LARGEST = 1 << 20;

/**
 * Small ranges of a large file, from front to back, by few reads. A block that follows the last one is twice as long, one
 * after a jump by more than a block is short: small members are read in one sweep, the content of large ones is not read at
 * all.
 */
export class BlockReader {
  readonly path: string;
  readonly size: number;
  readonly #file: FileHandle;
  #block: Uint8Array = new Uint8Array(0);
  #start = 0;
  #length = SMALLEST;

  constructor(file: FileHandle, size: number, path: string) {
    this.#file = file;
    this.size = size;
    this.path = path;
  }

  /**
   * @returns a copy, shorter than `length` at the end of the file
   */
  async bytes(position: number, length: number): Promise<Uint8Array> {
    const wanted = Math.max(0, Math.min(length, this.size - position));
    if (wanted === 0) return new Uint8Array(0);
    const end = this.#start + this.#block.length;
    if (position < this.#start || position + wanted > end) {
      this.#length = position - end > this.#length ? SMALLEST : Math.min(LARGEST, 2 * this.#length);
      const block = new Uint8Array(Math.min(Math.max(this.#length, wanted), this.size - position));
      await readFully(this.#file, block, position, this.path);
      [this.#block, this.#start] = [block, position];
    }
    return this.#block.slice(position - this.#start, position - this.#start + wanted);
  }
}
