import { constants } from 'node:buffer';
import { RectiflowError } from '../../tensor/errors.ts';
import type { Native } from './native.ts';

/** @throws RectiflowError where the system has not so much memory, or Node holds no block of that size */
export function allocate(native: Pick<Native, 'allocate'>, bytes: number): ArrayBuffer {
  try {
    return native.allocate(bytes);
  } catch (error) {
    const gibibytes = (size: number): string => `${(size / 2 ** 30).toFixed(1)} GiB`;
    const problem =
      bytes > constants.MAX_LENGTH
        ? `Node ${process.version} holds no more than ${gibibytes(constants.MAX_LENGTH)} in one piece`
        : 'the system has not so much memory';
    throw new RectiflowError(
      'memory',
      `cpu: ${gibibytes(bytes)} in one piece were wanted, but ${problem}. ` +
        'For a training, set a smaller train.microBatch or train.memory to recompute; else take a smaller batch or model.',
      { cause: error },
    );
  }
}
