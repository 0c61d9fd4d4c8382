import { constants } from 'node:buffer';
import { expect, it } from 'vitest';
import { allocate, SharedArena } from '../../src/backends/cpu/allocate.ts';

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
  const released: unknown[] = [];
  const arena = new SharedArena(
    {
      allocate: (bytes) => (taken.push(bytes), new ArrayBuffer(bytes)),
      release: (memory) => released.push(memory),
    },
    256,
  );
  const small = arena.lease(100);
  expect(small.at(64)).toEqual({ memory: small.at(0).memory, offset: 64 });
  const large = arena.lease(600);
  expect(taken).toEqual([100, 256, 256, 88]);
  expect([0, 256, 576].map((offset) => large.at(offset).offset)).toEqual([0, 0, 64]);
  expect(new Set([0, 256, 512].map((offset) => large.at(offset).memory)).size).toBe(3);
  const middle = arena.lease(300);
  expect(middle.at(256).memory).toBe(large.at(256).memory);
  expect(taken.length).toBe(4);

  const pieces = [0, 256, 512].map((offset) => large.at(offset).memory);
  small.release();
  expect(released).toEqual([small.at(0).memory]);
  large.release();
  expect(released.length).toBe(1);
  middle.release();
  expect(new Set(released)).toEqual(new Set([small.at(0).memory, ...pieces]));
  expect(released.length).toBe(4);
  // What was reserved for programs that never came, and what larger ones are wanted in place of.
  arena.reserve(100);
  arena.reserve(200);
  arena.clear();
  expect(taken.slice(4)).toEqual([100, 200]);
  expect(released.length).toBe(6);
});
