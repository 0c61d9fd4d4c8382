import { expect, it } from 'vitest';
import { add, gatedResidual, layerNormModulate, linear, reshape, sum } from '../../src/ops/index.ts';
import { grad, mixedPrecision, trace } from '../../src/program/index.ts';

const program = trace('block', (graph) => {
  const x = graph.input('x', [2, 16, 8]);
  const [shift, scale, gate] = ['shift', 'scale', 'gate'].map((name) => graph.input(name, [2, 8]));
  const w = graph.stateful('w', [8, 8]);
  const hidden = linear(reshape(layerNormModulate(x, shift!, scale!), [32, 8]), w, undefined, 'gelu');
  const y = gatedResidual(x, reshape(linear(hidden, w), [2, 16, 8]), gate!);
  return { loss: sum(y), dw: grad(sum(add(y, x)), [w])[0]! };
});

it.each(['bfloat16', 'float16'] as const)(
  'stores operands and results of products in %s, and nothing else',
  (half) => {
    const mixed = mixedPrecision(program, half);
    const dtypes = mixed.nodes.flatMap(({ op, outputs }) =>
      outputs.map(({ dtype }) => `${op.name} ${dtype}`),
    );
    expect(dtypes).toContain(`layerNormModulate ${half}`);
    expect(dtypes).toContain(`reshape ${half}`);
    expect(dtypes).toContain(`gatedResidualGrad ${half}`);
    expect(dtypes).not.toContain('linear float32');
    expect(dtypes).not.toContain(`linearGradParams ${half}`);
    expect(dtypes).not.toContain(`gatedResidual ${half}`);
    expect(dtypes).not.toContain(`sum ${half}`);
  },
);

it('leaves what the host reads in float32', () => {
  const mixed = mixedPrecision(
    trace('product', (graph) => ({ y: linear(graph.input('x', [2, 4]), graph.stateful('w', [4, 4])) })),
    'bfloat16',
  );
  expect(mixed.outputs.get('y')!.dtype).toBe('float32');
});
