import { expect, it } from 'vitest';
import { lengthMask } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

conformance(
  'lengthMask',
  [
    { shape: [1], size: 1 },
    { shape: [40], size: 33 },
    { shape: [3, 5], size: 64 },
  ].map(({ shape, size }) => ({
    // From below none to beyond all.
    inputs: [{ shape, dtype: 'int32' as const, value: (_: number, i: number) => ((5 * i) % (size + 3)) - 1 }],
    attributes: { size },
  })),
);

it('names what does not fit', () => {
  const build = (dtype: 'int32' | 'float32', size: number) => (): unknown =>
    trace('wrong', (graph) => ({ y: lengthMask(graph.input('lengths', [2], dtype), size) }));
  expect(build('float32', 4)).toThrow('lengthMask: lengths must be int32, got float32');
  expect(build('int32', 0)).toThrow('lengthMask: size must be a positive integer, got 0');
});
