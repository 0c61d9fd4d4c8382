// The memory of one instance of the kernels: blocks that are handed out, and come back.
import { RectiflowError } from '../../tensor/errors.ts';
import { type LinearMemory, engine } from './engine.ts';

const pageBytes = 2 ** 16;
/** What 32 bits of address reach. */
const mostPages = 2 ** 16;
/** A cache line, as memory plans have it. */
const alignment = 64;

interface Block {
  readonly start: number;
  readonly end: number;
}

export class KernelMemory {
  readonly linear: LinearMemory;
  /** In their order, apart from one another; the last may be followed by memory that is not there yet. */
  #free: Block[];

  /** @param first the byte from which on nothing is the kernels' own */
  constructor(first: number) {
    const Memory = engine().Memory;
    this.linear = new Memory({ initial: 1, maximum: mostPages });
    this.#free = [{ start: aligned(first), end: pageBytes }];
  }

  /**
   * Zeroed memory.
   * @returns where it begins, in bytes
   * @throws RectiflowError where there is not so much
   */
  allocate(bytes: number): number {
    const wanted = aligned(Math.max(bytes, 1));
    const start = this.#take(wanted) ?? this.#grow(wanted);
    new Uint8Array(this.linear.buffer, start, wanted).fill(0);
    return start;
  }

  release(start: number, bytes: number): void {
    const end = start + aligned(Math.max(bytes, 1));
    const before = this.#free.filter((block) => block.end <= start);
    const behind = this.#free.filter((block) => block.start >= end);
    const joinsBefore = before.at(-1)?.end === start;
    const joinsBehind = behind[0]?.start === end;
    const block = {
      start: joinsBefore ? before.pop()!.start : start,
      end: joinsBehind ? behind.shift()!.end : end,
    };
    this.#free = [...before, block, ...behind];
  }

  #take(wanted: number): number | undefined {
    const i = this.#free.findIndex(({ start, end }) => end - start >= wanted);
    if (i < 0) return undefined;
    const { start, end } = this.#free[i]!;
    const left = start + wanted < end ? [{ start: start + wanted, end }] : [];
    this.#free.splice(i, 1, ...left);
    return start;
  }

  #grow(wanted: number): number {
    const end = this.linear.buffer.byteLength;
    const last = this.#free.at(-1);
    const there = last?.end === end ? end - last.start : 0;
    const pages = Math.ceil((wanted - there) / pageBytes);
    if (end / pageBytes + pages > mostPages)
      throw memoryError(
        `${mebibytes(wanted)} more were wanted beside ${mebibytes(end - there)}, and WebAssembly reaches 4096 MiB`,
      );
    try {
      this.linear.grow(pages);
    } catch (error) {
      throw memoryError(
        `${mebibytes(wanted)} more were wanted beside ${mebibytes(end - there)}, and the host has not so much memory`,
        error,
      );
    }
    this.release(end, pages * pageBytes);
    return this.#take(wanted)!;
  }
}

/** Memory that programs share, because two of a backend never run at once: the largest block that one of them asked for. */
export class SharedBlock {
  readonly #memory: KernelMemory;
  #largest: Held | undefined;

  constructor(memory: KernelMemory) {
    this.#memory = memory;
  }

  /** @returns where it begins, and what gives it back */
  lease(bytes: number): { readonly start: number; release(): void } {
    const held = this.#holding(bytes);
    held.holders++;
    return { start: held.start, release: () => this.#leave(held) };
  }

  #holding(bytes: number): Held {
    if (this.#largest && this.#largest.bytes >= bytes) return this.#largest;
    return (this.#largest = { start: this.#memory.allocate(bytes), bytes, holders: 0 });
  }

  #leave(held: Held): void {
    if (--held.holders > 0) return;
    this.#memory.release(held.start, held.bytes);
    if (held === this.#largest) this.#largest = undefined;
  }
}

interface Held {
  readonly start: number;
  readonly bytes: number;
  holders: number;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

function memoryError(problem: string, cause?: unknown): RectiflowError {
  return new RectiflowError(
    'memory',
    `wasm: ${problem}. Set train.microBatch lower, or train.memory to recompute, or choose a smaller model`,
    { cause },
  );
}
