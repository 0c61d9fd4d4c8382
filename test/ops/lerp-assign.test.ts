import { expect, it } from 'vitest';
import { lerpAssign } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { float32Backends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';

const scalar = (value: number) => ({ shape: [], value: () => value });

conformance(
  'lerpAssign',
  [[1], [31], [32], [7, 33], [257, 129]].flatMap((shape) =>
    [
      [0.01, 1],
      [1, 1],
      [0.5, 0],
    ].map(([weight = 0, counts = 0]) => ({
      inputs: [{ shape }, { shape }, scalar(weight), { ...scalar(counts), dtype: 'int32' as const }],
    })),
  ),
);

const program = trace('lerp', (graph) => {
  const [value, weight] = [graph.input('value', [3]), graph.input('weight', [])];
  lerpAssign(graph.stateful('target', [3]), value, weight, graph.input('counts', [], 'int32'));
  return {};
});

for (const { label, create, skip } of float32Backends()) {
  it.skipIf(skip !== undefined)(
    `leaves the target where the step does not count, whatever the value, on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
    async () => {
      const backend = create();
      const target = backend.allocate({ shape: [3], dtype: 'float32' });
      await target.write(Float32Array.of(1, 2, 3));
      const executable = await backend.compile(program, new Map([['target', target]]));
      const value = Float32Array.of(NaN, Infinity, 0);
      const run = (weight: number, counts: number): Promise<void> =>
        executable.run({ value, weight: Float32Array.of(weight), counts: Int32Array.of(counts) });
      for (const weight of [0.5, NaN]) await run(weight, 0);
      expect([...(await target.read())]).toEqual([1, 2, 3]);
      // Hiding a NaN that is taken up would hide what went wrong.
      await run(0.5, 1);
      expect([...(await target.read())]).toEqual([NaN, Infinity, 1.5]);
    },
  );
}

it.each([
  ['value', [5], [], 'int32', "lerpAssign: value must be the target's shape = [4], got [5]"],
  ['weight', [4], [1], 'int32', 'lerpAssign: weight must be a scalar = [], got [1]'],
  ['counts', [4], [], 'float32', 'lerpAssign: counts must be int32, got float32'],
] as const)('names the argument that does not fit: %s', (_, value, weight, flag, message) => {
  const build = (): unknown =>
    trace('wrong', (graph) => {
      const [x, s] = [graph.input('x', value), graph.input('s', weight)];
      lerpAssign(graph.stateful('w', [4]), x, s, graph.input('counts', [], flag));
      return {};
    });
  expect(build).toThrow(message);
});
