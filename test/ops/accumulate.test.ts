import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { accumulate } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

conformance(
  'accumulate',
  [[1], [31, 3], [257, 129]].flatMap((shape) =>
    [0, 1].map((restart) => ({
      inputs: [{ shape }, { shape }, { shape: [], value: () => restart }],
    })),
  ),
);

it('forgets at a restart what the total held, infinities too', async () => {
  const backend = referenceBackend();
  const program = trace('total', (graph) => {
    accumulate(graph.stateful('total', [2]), graph.input('value', [2]), graph.input('restart', []));
    return {};
  });
  const total = backend.allocate({ shape: [2], dtype: 'float32' });
  await total.write(Float32Array.of(Infinity, NaN));
  const executable = await backend.compile(program, new Map([['total', total]]));
  const add = (restart: number): Promise<void> =>
    executable.run({ value: Float32Array.of(1, 2), restart: Float32Array.of(restart) });
  await add(1);
  expect(await total.read()).toEqual(Float32Array.of(1, 2));
  await add(0);
  expect(await total.read()).toEqual(Float32Array.of(2, 4));
});

it('names the argument that does not fit', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => {
      accumulate(graph.stateful('w', [4]), graph.input('x', [5]), graph.input('restart', []));
      return {};
    });
  expect(build).toThrow("accumulate: value must be the total's shape = [4], got [5]");
});
