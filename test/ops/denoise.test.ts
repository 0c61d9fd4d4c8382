import { describe, expect, it } from 'vitest';
import { denoise } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { toFloat32Parts } from '../../src/tensor/float32-parts.ts';
import { float64Backends } from '../support/backends.ts';
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

const count = 100_003;
const [x, noise] = [1, 2].map((seed) => Float32Array.from(randomValues(count, seed))) as [
  Float32Array,
  Float32Array,
];
type Numbers = readonly [data: number, noisy: number, toData: number, toNoise: number];
const schedule = (a: number, b: number): Numbers => [a, 1 - a, b, 1 - b].map(Math.sqrt) as unknown as Numbers;

// The last three take most of what there is away: a product that is not rounded before leaves another rest.
const [data, noisy, toData, toNoise] = schedule(0.64, 0.81);
const cases: [string, Numbers, number, prediction: Float32Array, from?: Float32Array][] = [
  ['near noise', schedule(0.0001, 0.02), 1, noise],
  ['on the way', schedule(0.3, 0.5), 0, noise],
  ['at the end', schedule(0.9, 1), 0.75, noise],
  ['where x is noise', [data, noisy, toData, 0], 0, noise, noise.map((value) => noisy * value)],
  ['where x is data', [data, noisy, 0, toNoise], 0, new Float32Array(count)],
  [
    'where data and noise make nothing',
    [data, noisy, toData, toNoise],
    0,
    x.map((value) => ((toData / data) * value) / ((toData / data) * noisy - toNoise)),
  ],
];

describe.each(float64Backends())('on $label', ({ create, skip }) => {
  it.skipIf(skip !== undefined).each(cases)(
    'is to the bit what the host makes of it in float64: %s',
    async (_, numbers, clip, prediction, from = x) => {
      const program = trace('denoise', (graph) => ({
        y: denoise(graph.input('x', [count]), graph.input('c', [4, 3]), graph.input('noise', [count]), clip),
      }));
      const executable = await create().compile(program, new Map());
      await executable.run({ x: from, noise: prediction, c: toFloat32Parts(numbers) });
      const limit = clip === 0 ? Infinity : clip;
      const [a, b, toA, toB] = numbers;
      expect((await executable.read(['y'])).y).toEqual(
        from.map((value, i) => {
          const foreseen = Math.min(limit, Math.max(-limit, (value - b * prediction[i]!) / a));
          return toA * foreseen + (toB * (value - a * foreseen)) / b;
        }),
      );
    },
  );
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
