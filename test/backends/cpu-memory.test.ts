// Memory of every size that the native allocator treats in its own way.
import { expect, it } from 'vitest';
import { loadNative } from '../../src/backends/cpu/native.ts';
import { collectGarbage } from '../support/garbage.ts';

const native = loadNative();
const kibibytes = [1, 63, 64, 65, 300, 3600, 9000, 16383, 16384, 17000];

/** Three of each size are more than a block of 32 MiB, one is less. */
function allocateAll(copies: number): Float64Array[] {
  return Array.from({ length: copies }, () =>
    kibibytes.map((size) => new Float64Array(native.allocate(1024 * size))),
  ).flat();
}

/** Whether they were; afterwards they are not. */
function areZero(buffers: readonly Float64Array[]): boolean {
  const zero = buffers.every((numbers) => numbers.every((value) => value === 0));
  for (const numbers of buffers) numbers.fill(7);
  return zero;
}

it('buffers are zero and apart from each other', () => {
  const buffers = allocateAll(3);
  for (const [index, numbers] of buffers.entries()) {
    expect(numbers.every((value) => value === 0)).toBe(true);
    numbers.fill(index + 1);
  }
  for (const [index, numbers] of buffers.entries()) {
    expect(numbers.every((value) => value === index + 1)).toBe(true);
  }
});

it.each([1, 3])(
  'memory that was given back is zero when it is handed out again, %i of each size',
  async (copies) => {
    const resident: number[] = [];
    for (let round = 0; round < 12; round++) {
      expect(areZero(allocateAll(copies))).toBe(true);
      await collectGarbage();
      resident.push(process.memoryUsage().rss);
    }
    expect(resident.at(-1)! - resident[2]!).toBeLessThan(copies * 60 * 2 ** 20);
  },
);
