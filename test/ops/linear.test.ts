import { describe, expect, it } from 'vitest';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import type { Isa } from '../../src/backends/cpu/native.ts';
import { linear, mul, sum } from '../../src/ops/index.ts';
import { grad, trace } from '../../src/program/index.ts';
import { testBackends } from '../support/backends.ts';
import { conformance, relativeError } from '../support/conformance.ts';
import { randomValues } from '../support/random.ts';

/** [rows, inputs, outputs], at sizes around the register tiles and beyond one block. */
const sizes = [
  [1, 1, 1],
  [2, 3, 5],
  [31, 33, 32],
  [33, 31, 65],
  [65, 49, 255],
  [257, 255, 49],
  [70, 1100, 33],
] as const;
/** So many inputs that their products are summed in several parts, over rows and outputs of whole register tiles and a rest. */
const deep = [67, 1601, 70] as const;

/** Few rows: each number of vectors and one row less or more, weights that are read in place, copied, and summed in pieces. */
const fewRows = [
  [1, 65, 130],
  [2, 1601, 67],
  [3, 512, 49],
  [5, 67, 1601],
  [8, 48, 96],
  [9, 31, 97],
  [15, 64, 129],
  [16, 128, 127],
  [17, 33, 101],
  [31, 1030, 17],
  [32, 16, 1000],
  [33, 47, 64],
  [48, 80, 95],
  [49, 64, 100],
  [63, 101, 51],
  [64, 96, 144],
] as const;
/** WebGPU shares out work by tiles of its own: of these it has those that are deep, wide, of whole vectors, and of none. */
const rowsOfWebGpu: readonly number[] = [2, 5, 17, 31, 32, 63];
const isOfProcessors = (rows: number): boolean => !rowsOfWebGpu.includes(rows);

/**
 * Sizes of four classes, each with every activation: less than a tile, around one, several, and a deep sum. Activations meet the tiles of
 * any size at the same place of a kernel, so that each class has them at one size or another, not each size.
 */
const activated = [
  [sizes[0], 0],
  [sizes[1], 1],
  [sizes[1], 2],
  [sizes[2], 2],
  [sizes[3], 0],
  [sizes[3], 1],
  [sizes[4], 0],
  [sizes[5], 1],
  [sizes[5], 2],
  [sizes[6], 0],
  [sizes[6], 1],
  [sizes[6], 2],
] as const;

conformance(
  'linear',
  [
    ...activated.map(([[rows, I, O], activation]) => ({
      inputs: [{ shape: [rows, I] }, { shape: [O, I] }, { shape: [O] }],
      attributes: { activation },
    })),
    ...fewRows.map(([rows, I, O], i) => ({
      inputs: [{ shape: [rows, I] }, { shape: [O, I] }, { shape: [O] }],
      attributes: { activation: i % 3 },
      isOfProcessors: isOfProcessors(rows),
    })),
    { inputs: [{ shape: [3, 5, 33] }, { shape: [31, 33] }], attributes: { activation: 0 } },
    {
      inputs: [{ shape: [2, 16, 64] }, { shape: [192, 64] }, { shape: [192] }],
      attributes: { activation: 0 },
    },
    {
      inputs: [{ shape: [deep[0], deep[1]] }, { shape: [deep[2], deep[1]] }],
      attributes: { activation: 1 },
    },
  ],
  { differentiable: [0], fp32: 4e-6 },
);

const plain = { activation: 0 };

conformance('linearGradInput', [
  ...sizes.map(([rows, I, O]) => ({
    inputs: [{ shape: [rows, O] }, { shape: [O, I] }],
    attributes: plain,
  })),
  ...fewRows.map(([rows, I, O]) => ({
    inputs: [{ shape: [rows, O] }, { shape: [O, I] }],
    attributes: plain,
    isOfProcessors: isOfProcessors(rows),
  })),
  ...activated.map(([[rows, I, O], activation]) => ({
    inputs: [{ shape: [rows, O] }, { shape: [O, I] }, { shape: [rows, I] }],
    attributes: { activation },
  })),
  {
    inputs: [{ shape: [deep[0], deep[1]] }, { shape: [deep[1], deep[2]] }, { shape: [deep[0], deep[2]] }],
    attributes: { activation: 1 },
  },
]);

conformance('linearGradParams', [
  ...activated.map(([[rows, I, O], activation]) => ({
    inputs: [{ shape: [rows, I] }, { shape: [rows, O] }],
    attributes: { activation },
  })),
  ...fewRows.map(([rows, I, O]) => ({
    inputs: [{ shape: [rows, I] }, { shape: [rows, O] }],
    attributes: plain,
    isOfProcessors: isOfProcessors(rows),
  })),
  // Several chunks of rows: of dy, which is cut into strips where it is the wider operand, and of x; whole strips, and narrow ones.
  // Each operand is cut with every activation.
  ...(
    [
      [[2100, 64, 200], 0],
      [[2100, 64, 200], 1],
      [[1536, 33, 96], 2],
      [[2101, 130, 40], 0],
      [[2101, 130, 40], 2],
      [[3, 700, 192, 64], 1],
    ] as const
  ).map(([shape, activation]) => {
    const [O, I, ...rows] = shape.toReversed() as [number, number, ...number[]];
    return { inputs: [{ shape: [...rows, I] }, { shape: [...rows, O] }], attributes: { activation } };
  }),
  // Just enough rows for two halves, and one more.
  { inputs: [{ shape: [512, 20] }, { shape: [512, 17] }], attributes: plain },
  { inputs: [{ shape: [513, 17] }, { shape: [513, 20] }], attributes: plain },
  // Strips that meet the other operand in parts.
  { inputs: [{ shape: [1026, 384] }, { shape: [1026, 390] }], attributes: plain },
  { inputs: [{ shape: [1026, 390] }, { shape: [1026, 384] }], attributes: plain },
  // More rows than are packed in one pass.
  { inputs: [{ shape: [70000, 32] }, { shape: [70000, 33] }], attributes: plain },
  { inputs: [{ shape: [70000, 33] }, { shape: [70000, 32] }], attributes: plain },
  // Modulated: images that begin and end anywhere in what one item packs.
  ...[
    [1, 1, 4, 3] as const,
    [5, 7, 33, 31] as const,
    [3, 33, 65, 17] as const,
    [2, 500, 40, 48] as const,
    [3, 700, 192, 64] as const,
  ].map(([B, N, I, O]) => ({
    inputs: [{ shape: [B, N, I] }, { shape: [B, N, O] }, { shape: [B, I] }, { shape: [B, I] }],
    attributes: plain,
  })),
]);

const processors = testBackends().filter(({ label }) => label.startsWith('cpu '));
describe.each(processors)('the gradient of the weights on $label', ({ label, skip }) => {
  const isa = label.replace('cpu ', '') as Isa;
  // The last pass over operands so wide finds rows of the first half only. Of 480 rows or less there are no halves.
  it.skipIf(skip).each([
    [1056, 1930, 1928],
    [1056, 1928, 1930],
  ])('is the sum of those of parts of %i rows, for %i inputs and %i outputs', async (rows, I, O) => {
    const [x, dy] = [randomValues(rows * I, 1), randomValues(rows * O, 2)];
    const gradient = async (from: number, to: number): Promise<ArrayLike<number>[]> => {
      const program = trace('gradient', (graph) => {
        const [w, b] = [graph.input('w', [O, I]), graph.input('b', [O])];
        const y = linear(graph.input('x', [to - from, I]), w, b);
        const [dw, db] = grad(sum(mul(y, graph.input('dy', [to - from, O]))), [w, b]);
        return { dw: dw!, db: db! };
      });
      const executable = await cpuBackend({ isa }).compile(program, new Map());
      const parameters = { w: new Float32Array(O * I), b: new Float32Array(O) };
      await executable.run({
        ...parameters,
        x: x.subarray(from * I, to * I),
        dy: dy.subarray(from * O, to * O),
      });
      return [(await executable.read(['dw'])).dw, (await executable.read(['db'])).db];
    };
    const whole = await gradient(0, rows);
    const parts = [await gradient(0, 480), await gradient(480, 960), await gradient(960, rows)];
    for (const [output, values] of whole.entries()) {
      const summed = Array.from(values, (_, i) =>
        parts.reduce((total, part) => total + part[output]![i]!, 0),
      );
      expect(relativeError(values, summed)).toBeLessThanOrEqual(2e-6);
    }
  });
  it.skipIf(skip).each(['fp32', 'bf16'] as const)(
    'has the same bits in %s for any number of threads',
    async (precision) => {
      const shapes = { x: [600, 800], w: [1200, 800] } as const;
      const inputs = Object.fromEntries(
        Object.entries(shapes).map(([name, [a, b]]) => [name, randomValues(a * b, a)]),
      );
      const program = trace('gradient', (graph) => {
        const w = graph.input('w', shapes.w);
        return { dw: grad(sum(linear(graph.input('x', shapes.x), w)), [w])[0]! };
      });
      const gradient = async (threads: number): Promise<Buffer> => {
        const executable = await cpuBackend({ isa, precision, threads }).compile(program, new Map());
        await executable.run(inputs);
        return Buffer.from((await executable.read(['dw'])).dw.buffer);
      };
      const one = await gradient(1);
      for (const threads of [2, 3, 4]) expect((await gradient(threads)).equals(one)).toBe(true);
    },
  );
});

it('names the argument that does not fit', () => {
  const build = (b: number) => (): unknown =>
    trace('wrong', (graph) => ({
      y: linear(graph.input('x', [8, 16, 384]), graph.input('w', [1152, 384]), graph.input('b', [b])),
    }));
  expect(build(384)).toThrow('linear: b must be [O] = [1152], got [384]');
  expect(() =>
    trace('wrong', (graph) => ({ y: linear(graph.input('x', [8, 64]), graph.input('w', [64, 32])) })),
  ).toThrow('linear: w must be [O, I] = [O, 64], got [64, 32]');
});
