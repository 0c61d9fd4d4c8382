import { expect, it } from 'vitest';
import { lerpAssign } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { testBackends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';

const scalar = (value: number) => ({ shape: [], value: () => value });

conformance(
  'lerpAssign',
  [[1], [31], [32], [7, 33], [257, 129]].flatMap((shape) =>
    [0.01, 1].map((weight) => ({ inputs: [{ shape }, { shape }, scalar(weight)] })),
  ),
);

const program = trace('lerp', (graph) => {
  lerpAssign(graph.stateful('target', [3]), graph.input('value', [3]), graph.input('weight', []));
  return {};
});

for (const { label, create, skip } of testBackends()) {
  it.skipIf(skip !== undefined)(
    `a weight of 0 or NaN leaves the target, whatever the value, on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
    async () => {
      const backend = create();
      const target = backend.allocate({ shape: [3], dtype: 'float32' });
      await target.write(Float32Array.of(1, 2, 3));
      const executable = await backend.compile(program, new Map([['target', target]]));
      const value = Float32Array.of(NaN, Infinity, 0);
      for (const weight of [0, NaN]) await executable.run({ value, weight: Float32Array.of(weight) });
      expect([...(await target.read())]).toEqual([1, 2, 3]);
      // Hiding a NaN that is taken up would hide what went wrong.
      await executable.run({ value, weight: Float32Array.of(0.5) });
      expect([...(await target.read())]).toEqual([NaN, Infinity, 1.5]);
    },
  );
}

it.each([
  ['value', [5], [], "lerpAssign: value must be the target's shape = [4], got [5]"],
  ['weight', [4], [1], 'lerpAssign: weight must be a scalar = [], got [1]'],
] as const)('names the argument that does not fit: %s', (_, value, weight, message) => {
  const build = (): unknown =>
    trace('wrong', (graph) => {
      lerpAssign(graph.stateful('w', [4]), graph.input('x', value), graph.input('s', weight));
      return {};
    });
  expect(build).toThrow(message);
});
