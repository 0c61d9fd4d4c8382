import { constants } from 'node:buffer';
import { expect, it } from 'vitest';
import { allocate } from '../../src/backends/cpu/allocate.ts';

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
