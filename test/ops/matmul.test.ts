import { expect, it } from 'vitest';
import { matmul } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

const sizes = [
  [1, 1, 1],
  [31, 33, 32],
  [2, 257, 65],
  [49, 1, 255],
  [130, 70, 520],
] as const;

conformance('matmul', [
  ...sizes.flatMap(([m, n, k]) =>
    [0, 1, 2, 3].map((flags) => {
      const [transposeA, transposeB] = [flags & 1, flags >> 1];
      return {
        inputs: [{ shape: transposeA ? [k, m] : [m, k] }, { shape: transposeB ? [n, k] : [k, n] }],
        attributes: { transposeA, transposeB },
      };
    }),
  ),
  {
    inputs: [{ shape: [2, 3, 5, 7] }, { shape: [2, 3, 7, 4] }],
    attributes: { transposeA: 0, transposeB: 0 },
  },
  { inputs: [{ shape: [6, 7, 33] }, { shape: [6, 4, 33] }], attributes: { transposeA: 0, transposeB: 1 } },
  { inputs: [{ shape: [6, 33, 7] }, { shape: [6, 33, 4] }], attributes: { transposeA: 1, transposeB: 0 } },
  { inputs: [{ shape: [3, 5, 7] }, { shape: [7, 4] }], attributes: { transposeA: 0, transposeB: 0 } },
  { inputs: [{ shape: [3, 5, 7] }, { shape: [4, 7] }], attributes: { transposeA: 0, transposeB: 1 } },
]);

it('names the argument that does not fit', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({ y: matmul(graph.input('a', [4, 3]), graph.input('b', [4, 5])) }));
  expect(build).toThrow('matmul: b must be [3, n] to fit a = [4, 3], got [4, 5]');
});
