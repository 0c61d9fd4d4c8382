import { constants } from 'node:buffer';
import { expect, it } from 'vitest';
import { allocate, sharedArena } from '../../src/backends/cpu/allocate.ts';

const refusing = {
  allocate: (): never => {
    throw new Error('no');
  },
};

it('says what to do where memory is refused', () => {
  expect(() => allocate(refusing, 2 ** 30)).toThrow(
    /^cpu: 1\.0 GiB in one piece were wanted, but the system has not so much memory\. For a training, set a smaller/,
  );
  expect(() => allocate(refusing, 2 * constants.MAX_LENGTH)).toThrow(
    /but Node v\S+ holds no more than .* GiB/,
  );
});

it('an arena is held in pieces, of which later programs have those that are large enough', () => {
  const taken: number[] = [];
  const arena = sharedArena({ allocate: (bytes) => (taken.push(bytes), new ArrayBuffer(bytes)) }, 256);
  const small = arena(100);
  expect(small(64)).toEqual({ memory: small(0).memory, offset: 64 });
  const large = arena(600);
  expect(taken).toEqual([100, 256, 256, 88]);
  expect([0, 256, 576].map((offset) => large(offset).offset)).toEqual([0, 0, 64]);
  expect(new Set([0, 256, 512].map((offset) => large(offset).memory)).size).toBe(3);
  expect(arena(300)(256).memory).toBe(large(256).memory);
  expect(taken.length).toBe(4);
});
