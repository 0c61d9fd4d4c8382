import { describe, expect, test } from 'vitest';
import { parseIdx, readIdx } from '../../src/formats/idx.ts';

function idx(type: number, shape: number[], values: number[]): Uint8Array {
  const dimensions = shape.flatMap((size) => [
    size >>> 24,
    (size >>> 16) & 255,
    (size >>> 8) & 255,
    size & 255,
  ]);
  return Uint8Array.from([0, 0, type, shape.length, ...dimensions, ...values]);
}

describe('what is no IDX file is refused', () => {
  test.each([
    [Uint8Array.of(), /x: is no IDX file: it must start with 0000, found nothing/],
    [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 1), /found 89504e47/],
    [Uint8Array.of(0x1f, 0x8b, 8, 0), /compressed with gzip. Unpack it/],
    [idx(7, [1], [1]), /unknown IDX type 7/],
    [Uint8Array.of(0, 0, 8, 3, 0, 0), /truncated: a header of 3 dimensions has 16 bytes, the file 6/],
    [idx(8, [2, 3], [1, 2, 3, 4, 5]), /truncated: shape \[2, 3\] needs 18 bytes, found 17/],
    [idx(8, [2], [1, 2, 3]), /too long: shape \[2\] needs 10 bytes, found 11/],
    [idx(8, [0xffffffff, 0xffffffff], [1]), /truncated/],
  ])('%#', (bytes, message) => {
    expect(() => parseIdx(bytes, 'x')).toThrow(message);
  });

  test('a missing file', async () => {
    await expect(readIdx('/nowhere/x')).rejects.toThrow(/\/nowhere\/x: no such file/);
  });
});

test.each([
  [idx(8, [2, 2], [1, 2, 3, 255]), [2, 2], Uint8Array.of(1, 2, 3, 255)],
  [idx(9, [1], [255]), [1], Int8Array.of(-1)],
  [idx(11, [1], [0x01, 0x02]), [1], Int16Array.of(0x0102)],
  [idx(12, [1], [255, 255, 255, 254]), [1], Int32Array.of(-2)],
  [idx(13, [1], [0x3f, 0x80, 0, 0]), [1], Float32Array.of(1)],
  [idx(14, [], [0x3f, 0xf0, 0, 0, 0, 0, 0, 0]), [], Float64Array.of(1)],
])('values of each type are read: %#', (bytes, shape, data) => {
  expect(parseIdx(bytes, 'x')).toEqual({ shape, data });
});
