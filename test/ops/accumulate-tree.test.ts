import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.ts';
import { accumulateTree } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { float32Backends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';
import { randomValues } from '../support/random.ts';

conformance(
  'accumulateTree',
  [[1], [31, 3], [257, 129]].flatMap((shape) =>
    [
      { taken: [0, 0, 0], made: [1, 0, 0] },
      { taken: [1, 1, 0], made: [0, 0, 1] },
      { taken: [1, 1, 1], made: [0, 0, 1] },
      { taken: [1, 0, 1, 1, 0, 1, 0], made: [0, 0, 0, 0, 1, 0, 1] },
    ].map(({ taken, made }) => ({
      inputs: [
        { shape },
        { shape: [taken.length], value: (_: number, i: number) => taken[i]! },
        { shape: [taken.length], value: (_: number, i: number) => made[i]! },
        ...taken.map(() => ({ shape })),
      ],
      attributes: { sums: taken.length },
    })),
  ),
);

const size = 1000;
const program = trace('tree', (graph) => {
  const sums = [0, 1, 2].map((i) => graph.stateful(`sum${i}`, [size]));
  accumulateTree(sums, graph.input('value', [size]), graph.input('taken', [3]), graph.input('made', [3]));
  return {};
});
const values = [1, 2, 3, 4].map((seed) => Float32Array.from(randomValues(size, seed)));

/** @returns the sums afterwards */
async function after(backend: Backend, flags: { taken: number[]; made: number[] }): Promise<HostArray[]> {
  const sums = program.state.map((tensor) => backend.allocate(tensor));
  for (const [i, sum] of sums.entries()) await sum.write(values[i + 1]!);
  const executable = await backend.compile(
    program,
    new Map(program.state.map(({ name }, i) => [name!, sums[i]!])),
  );
  const [taken, made] = [Float32Array.from(flags.taken), Float32Array.from(flags.made)];
  await executable.run({ value: values[0]!, taken, made });
  return Promise.all(sums.map((sum) => sum.read()));
}

describe.each(float32Backends())('accumulateTree on $label', ({ create, skip }) => {
  it.skipIf(skip)('rounds after each sum, those of the fewest terms first', async () => {
    const [value, first, second, third] = values as [Float32Array, ...Float32Array[]];
    const pair = value.map((x, i) => x + first![i]!);
    const four = pair.map((x, i) => x + second![i]!);
    const made = [0, 0, 1];
    expect(await after(create(), { taken: [1, 1, 0], made })).toEqual([first, second, four]);
    const all = four.map((x, i) => x + third![i]!);
    expect(await after(create(), { taken: [1, 1, 1], made })).toEqual([first, second, all]);
  });

  it.skipIf(skip)('puts the value itself in the place of a sum', async () => {
    const sums = await after(create(), { taken: [0, 0, 0], made: [0, 1, 0] });
    expect(sums).toEqual([values[1], values[0], values[3]]);
  });
});

it.each([
  [[4], [5], [1], "accumulateTree: a sum must be the value's shape = [5], got [4]"],
  [[4], [4], [2], 'accumulateTree: taken must be [sums] = [1], got [2]'],
])('sums %j of values %j with flags %j are refused', (sum, value, flags, message) => {
  const build = (): unknown =>
    trace('wrong', (graph) => {
      const taken = graph.input('taken', flags);
      accumulateTree([graph.stateful('sum', sum)], graph.input('value', value), taken, taken);
      return {};
    });
  expect(build).toThrow(message);
});
