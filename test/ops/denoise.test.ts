import { describe, expect, it } from 'vitest';
import { denoise } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { toFloat32Parts } from '../../src/tensor/float32-parts.ts';
import { testBackends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';
import { randomValues } from '../support/random.ts';

/** Row by row: the shares, whose parts are as large as they may be, and nothing that is nearly 0 to be divided by. */
const shares = {
  shape: [4, 3],
  value: (uniform: number, i: number) => (i % 3 === 0 ? 0.6 + uniform / 4 : 0),
};

conformance(
  'denoise',
  [[1], [7], [3, 33], [129, 257]].flatMap((shape) =>
    [0, 0.5].map((clip) => ({ inputs: [{ shape }, shares, { shape }], attributes: { clip } })),
  ),
);

describe.each(testBackends())('on $label', ({ create, skip }) => {
  it.skipIf(skip !== undefined)('is to the bit what the host makes of it in float64', async () => {
    const count = 100_003;
    const [x, noise] = [1, 2].map((seed) => Float32Array.from(randomValues(count, seed)));
    for (const [a, b, clip] of [
      [0.0001, 0.02, 1],
      [0.3, 0.5, 0],
      [0.9, 1, 0.75],
    ] as const) {
      const program = trace('denoise', (graph) => ({
        y: denoise(graph.input('x', [count]), graph.input('c', [4, 3]), graph.input('noise', [count]), clip),
      }));
      const executable = await create().compile(program, new Map());
      const [data, noisy, toData, toNoise] = [a, 1 - a, b, 1 - b].map(Math.sqrt) as [
        number,
        number,
        number,
        number,
      ];
      await executable.run({ x: x!, noise: noise!, c: toFloat32Parts([data, noisy, toData, toNoise]) });
      const limit = clip === 0 ? Infinity : clip;
      expect((await executable.read(['y'])).y).toEqual(
        x!.map((value, i) => {
          const foreseen = Math.min(limit, Math.max(-limit, (value - noisy * noise![i]!) / data));
          return toData * foreseen + (toNoise * (value - data * foreseen)) / noisy;
        }),
      );
    }
  });
});

it.each([
  [[5, 3], [4], 'denoise: coefficients must be [shares, parts] = [4, 3], got [5, 3]'],
  [[4, 3], [5], "denoise: prediction must be x's shape = [4], got [5]"],
])('refuses coefficients %j and a prediction %j', (coefficients, prediction, message) => {
  const build = () =>
    trace('wrong', (graph) => ({
      y: denoise(graph.input('x', [4]), graph.input('c', coefficients), graph.input('e', prediction), 0),
    }));
  expect(build).toThrow(message);
});
