import { describe, expect, it } from 'vitest';
import { advance } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { toFloat32Parts } from '../../src/tensor/float32-parts.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { float64Backends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';
import { randomValues } from '../support/random.ts';

const shapes = [[1], [7], [3, 33], [129, 257]];
const cases = [
  [1, 0],
  [4, 0],
  [2, 1],
  [8, 1],
].flatMap(([slopes = 0, noise = 0]) =>
  shapes.map((shape) => ({
    inputs: [
      { shape },
      { shape: [1 + slopes + noise, 3] },
      ...Array.from({ length: slopes + noise }, () => ({ shape })),
    ],
    attributes: { noise },
  })),
);

conformance('advance', cases);

describe.each(float64Backends())('on $label', ({ create, skip }) => {
  const shape = [3, 43_691];
  const count = sizeOf(shape);
  const [x, v, ahead, z] = [1, 2, 3, 4].map((seed) => Float32Array.from(randomValues(count, seed)));

  /** What a step by these numbers comes to. */
  async function made(
    numbers: number[],
    slopes: Float32Array[],
    noise?: Float32Array,
    from = x!,
  ): Promise<unknown> {
    const program = trace('advance', (graph) => {
      const input = (name: string): ReturnType<typeof graph.input> => graph.input(name, shape);
      const coefficients = graph.input('coefficients', [numbers.length, 3]);
      const tensors = slopes.map((_, i) => input(`v${i}`));
      return { y: advance(input('x'), coefficients, tensors, noise && input('z')) };
    });
    const executable = await create().compile(program, new Map());
    await executable.run({
      x: from,
      coefficients: toFloat32Parts(numbers),
      ...Object.fromEntries(slopes.map((values, i) => [`v${i}`, values])),
      ...(noise && { z: noise }),
    });
    return (await executable.read(['y'])).y;
  }

  it.skipIf(skip !== undefined)('is to the bit what the host makes of it in float64', async () => {
    for (const dt of [1 / 3, 1 / 50, 0.1 + 2 ** -50])
      expect(await made([dt, 1], [v!])).toEqual(x!.map((value, i) => value - dt * v![i]!));
    // Where most of x is taken away, a product that is not rounded before leaves another rest.
    const [third, tenth] = [1 / 3, 0.1];
    const near = v!.map((value) => third * value);
    expect(await made([third, 1], [v!], undefined, near)).toEqual(
      near.map((value, i) => value - third * v![i]!),
    );
    const sums = v!.map((value, i) => value + tenth * ahead![i]!);
    expect(await made([1, 1, tenth], [v!, ahead!], undefined, sums)).toEqual(
      sums.map((value, i) => value - (v![i]! + tenth * ahead![i]!)),
    );
    const noisy = v!.map((value, i) => value - tenth * z![i]!);
    expect(await made([1, 1, tenth], [v!], z, noisy)).toEqual(
      noisy.map((value, i) => value - v![i]! + tenth * z![i]!),
    );
    const [scale, weights] = [1 / 60, [1, 2, 2, 1]];
    const slopes = [v!, ahead!, z!, v!];
    expect(await made([scale, ...weights], slopes)).toEqual(
      x!.map((value, i) => value - scale * (v![i]! + 2 * ahead![i]! + 2 * z![i]! + v![i]!)),
    );
    const [drift, rest, deviation] = [0.013, 0.7, 0.21];
    expect(await made([drift, 1, rest, deviation], [ahead!, v!], z)).toEqual(
      x!.map((value, i) => value - drift * (ahead![i]! + rest * v![i]!) + deviation * z![i]!),
    );
  });
});

describe('refuses', () => {
  const build = (slopes: number, numbers: number, shape = [4]) =>
    trace('wrong', (graph) => {
      const tensors = Array.from({ length: slopes }, (_, i) => graph.input(`v${i}`, shape));
      return { y: advance(graph.input('x', [4]), graph.input('c', [numbers, 3]), tensors) };
    });

  it.each([
    [0, 1, [4], 'advance: slopes must be 1 to 8 of them, got 0'],
    [9, 10, [4], 'advance: slopes must be 1 to 8 of them, got 9'],
    [2, 2, [4], 'advance: coefficients must be [numbers, parts] = [3, 3], got [2, 3]'],
    [1, 2, [5], "advance: slope 0 must be x's shape = [4], got [5]"],
  ])('%d slopes, %d numbers of shape %j', (slopes, numbers, shape, message) => {
    expect(() => build(slopes, numbers, shape)).toThrow(message);
  });

  it('whole numbers', () => {
    const wrong = () =>
      trace('wrong', (graph) => ({
        y: advance(graph.input('x', [4]), graph.input('c', [2, 3]), [graph.input('v', [4], 'int32')]),
      }));
    expect(wrong).toThrow('advance: argument 2 must be float32, got int32');
  });
});
