import { expect, it } from 'vitest';
import { adamw } from '../../src/ops/index.ts';
import { type Program, trace } from '../../src/program/index.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { float32Backends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';
import { updateScalars } from '../support/update.ts';

const scalar = (value: number) => ({ shape: [], value: () => value });
const whole = (value: number) => ({ ...scalar(value), dtype: 'int32' as const });
const cases = [[1], [31], [32], [7, 33], [100, 257]].flatMap((shape) =>
  [
    [0, 1],
    [0.1, 1],
    [0.1, 0],
  ].map(([weightDecay = 0, counts = 0]) => ({
    inputs: [
      { shape },
      { shape },
      { shape },
      { shape, value: (u: number) => 0.5 + 0.5 * u },
      scalar(0.7),
      scalar(1e-2),
      whole(3),
      whole(counts),
    ],
    attributes: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay },
  })),
);

conformance('adamw', cases);

conformance(
  'adamwAverage',
  cases.map(({ inputs, attributes }) => ({ inputs: [...inputs, inputs[0]!, scalar(0.01)], attributes })),
);

const state = ['param', 'm', 'v'] as const;

function updateProgram(change: (given: Parameters<typeof adamw>[0]) => object = () => ({})): Program {
  return trace('update', (graph) => {
    const [param, m, v] = state.map((name) => graph.stateful(name, [2])) as [Tensor, Tensor, Tensor];
    const { update: step, ...scalars } = updateScalars(graph);
    const given = { param, m, v, grad: graph.input('grad', [2]), step, ...scalars };
    const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
    adamw({ ...given, ...change(given) }, settings);
    return {};
  });
}

for (const { label, create, skip } of float32Backends()) {
  it.skipIf(skip !== undefined)(
    `changes nothing where the step does not count, whatever the gradient, on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
    async () => {
      const backend = create();
      const program = updateProgram();
      const buffers = new Map(
        state.map((name) => [name, backend.allocate({ shape: [2], dtype: 'float32' })]),
      );
      for (const buffer of buffers.values()) await buffer.write(Float32Array.of(1, 2));
      const executable = await backend.compile(program, buffers);
      const bad = Float32Array.of(NaN);
      const run = (counts: number): Promise<void> =>
        executable.run({
          grad: Float32Array.of(NaN, Infinity),
          gradScale: bad,
          learningRate: bad,
          update: Int32Array.of(1),
          counts: Int32Array.of(counts),
        });
      await run(0);
      for (const buffer of buffers.values()) expect(await buffer.read()).toEqual(Float32Array.of(1, 2));
      // Whoever says that it counts gets what was made: hiding a NaN would hide what went wrong.
      await run(1);
      for (const buffer of buffers.values()) expect(await buffer.read()).toEqual(Float32Array.of(NaN, NaN));
    },
  );
}

it.each<[string, Shape, 'float32' | 'int32', string]>([
  ['v', [5], 'float32', "adamw: v must be the parameter's shape = [2], got [5]"],
  ['gradScale', [2], 'float32', 'adamw: gradScale must be a scalar = [], got [2]'],
  ['step', [], 'float32', 'adamw: step must be int32, got float32'],
  ['counts', [1], 'int32', 'adamw: counts must be a scalar = [], got [1]'],
  ['counts', [], 'float32', 'adamw: counts must be int32, got float32'],
])('names the argument that does not fit: %s of shape %j, %s', (name, shape, dtype, message) => {
  const build = (): unknown =>
    updateProgram(({ param }) => ({ [name]: param.graph.input('wrong', shape, dtype) }));
  expect(build).toThrow(message);
});
