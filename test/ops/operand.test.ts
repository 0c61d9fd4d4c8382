import { describe, expect, it } from 'vitest';
import { add, conv2d, mul, sum } from '../../src/ops/index.ts';
import { grad, trace } from '../../src/program/index.ts';
import { testBackends } from '../support/backends.ts';
import { conformance, relativeError } from '../support/conformance.ts';
import { outputsOf } from '../support/outputs.ts';
import { randomValues } from '../support/random.ts';

conformance(
  'operand',
  [[1], [31], [4, 33]].map((shape) => ({ inputs: [{ shape }] })),
);

/** A convolution of a sum, which is kept as it is, and its gradients. */
const program = trace('residual', (graph) => {
  const [x, w] = [graph.input('x', [2, 8, 5, 6]), graph.input('w', [8, 8, 3, 3])];
  const stream = add(x, x);
  const y = add(stream, conv2d(stream, w, undefined, { padding: 1 }));
  const [dx, dw] = grad(sum(mul(y, y)), [x, w]);
  return { y, dx: dx!, dw: dw! };
});

describe.each(testBackends())('products on $label', ({ create, skip }) => {
  const run = async (precision: 'fp32' | 'bf16') => {
    const executable = await create(precision).compile(program, new Map());
    await executable.run({ x: randomValues(480, 1), w: randomValues(576, 2) });
    return { nodes: executable.program.nodes, results: await outputsOf(executable) };
  };
  it.skipIf(skip)(
    'read halves in bf16, whoever else reads what they read, and nothing else in fp32',
    async () => {
      const [exact, half] = [await run('fp32'), await run('bf16')];
      expect(exact.nodes.some(({ op }) => op.name === 'operand' || op.name === 'cast')).toBe(false);
      const products = half.nodes.filter(({ op }) => /^(conv2d|matmul)/.test(op.name));
      expect(products).toHaveLength(3);
      const difference = (name: string): number =>
        relativeError(half.results.get(name)!, exact.results.get(name)!);
      for (const name of ['y', 'dx', 'dw']) {
        expect(difference(name)).toBeGreaterThan(1e-5);
        expect(difference(name)).toBeLessThan(1e-2);
      }
    },
  );
});
