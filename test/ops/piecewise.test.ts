import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { abs, clamp, relu, sum } from '../../src/ops/index.ts';
import { grad, trace } from '../../src/program/index.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { conformance } from '../support/conformance.ts';
import { outputsOf } from '../support/outputs.ts';

const shapes = [[1], [31], [32], [4, 33], [3, 67, 257]] as const;
/** Away from where two lines meet, which central differences would step over. */
const apart = (u: number): number => u + 0.01 * Math.sign(u);
const cases = shapes.map((shape) => ({ inputs: [{ shape, value: apart }] }));

conformance('relu', cases);
conformance('abs', cases);
conformance(
  'clamp',
  cases.map((each) => ({ ...each, attributes: { least: 0, most: 0.005 } })),
);
conformance(
  'clamp',
  shapes.map((shape) => ({
    inputs: [{ shape, value: (u: number) => (Math.abs(Math.abs(u) - 0.5) < 0.01 ? u / 2 : u) }],
    attributes: { least: -0.5, most: 0.5 },
  })),
);

it('has the gradient that is said where lines meet', async () => {
  const program = trace('lines', (graph) => {
    const x = graph.input('x', [5]);
    const of = (f: (x: Tensor) => Tensor): Tensor => grad(sum(f(x)), [x])[0]!;
    return { relu: of(relu), abs: of(abs), clamp: of((y) => clamp(y, -1, 2)), clamped: clamp(x, -1, 2) };
  });
  const executable = await referenceBackend().compile(program, new Map());
  await executable.run({ x: Float32Array.of(-1.5, -1, 0, 2, 3) });
  const got = Object.fromEntries(
    Array.from(await outputsOf(executable), ([name, numbers]) => [name, Array.from(numbers, (u) => u + 0)]),
  );
  expect(got).toEqual({
    relu: [0, 0, 0, 1, 1],
    abs: [-1, -1, 0, 1, 1],
    clamp: [0, 1, 1, 1, 0],
    clamped: [-1, -1, 0, 2, 2],
  });
});

it('names ends that are exchanged', () => {
  const build = (): unknown => trace('wrong', (graph) => ({ y: clamp(graph.input('x', [3]), 1, -1) }));
  expect(build).toThrow('clamp: most must be a number of at least least = 1, got -1');
});
