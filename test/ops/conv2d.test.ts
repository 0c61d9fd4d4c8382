import { describe, expect, it } from 'vitest';
import type { Executable } from '../../src/backends/backend.ts';
import { type CpuBackend, cpuBackend } from '../../src/backends/cpu/index.ts';
import type { Isa } from '../../src/backends/cpu/native.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { activations, conv2d, mul, relu, sum } from '../../src/ops/index.ts';
import { grad, trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { testBackends } from '../support/backends.ts';
import { type Case, conformance, relativeError } from '../support/conformance.ts';
import { outputsOf } from '../support/outputs.ts';
import { randomValues } from '../support/random.ts';

interface Layout {
  /** Images, channels, rows and columns. */
  readonly x: readonly [B: number, C: number, H: number, W: number];
  /** Outputs, rows and columns. */
  readonly w: readonly [O: number, kh: number, kw: number];
  readonly stride?: number;
  /** Top, bottom, left, right. */
  readonly padding?: readonly [number, number, number, number];
}

const around = [1, 1, 1, 1] as const;

/** Every pixel meets every weight, and every window the image. */
const whole: readonly Layout[] = [
  { x: [1, 1, 1, 1], w: [1, 1, 1] },
  { x: [2, 3, 5, 4], w: [5, 1, 1] },
  { x: [2, 33, 7, 9], w: [17, 1, 1] },
];
/** Windows side by side, part of them over padding. */
const padded: readonly Layout[] = [
  { x: [1, 1, 1, 1], w: [1, 3, 3], padding: around },
  { x: [2, 3, 8, 8], w: [7, 3, 3], padding: around },
  { x: [3, 8, 4, 33], w: [6, 3, 3], padding: around },
  { x: [1, 17, 9, 31], w: [33, 3, 3], padding: around },
  { x: [1, 5, 16, 16], w: [64, 3, 3], padding: around },
  { x: [2, 4, 3, 70], w: [3, 3, 3], padding: around },
  { x: [1, 2, 7, 6], w: [3, 5, 2], padding: [2, 0, 1, 1] },
  { x: [1, 2, 5, 5], w: [2, 3, 3] },
  // Channels in several parts, several blocks of outputs, and of windows: by rows, and where rows are wide.
  { x: [1, 100, 6, 9], w: [53, 3, 3], padding: around },
  { x: [1, 3, 40, 20], w: [100, 3, 3], padding: around },
  { x: [1, 4, 3, 200], w: [7, 3, 3], padding: around },
];
/** Windows that are apart, also with pixels between them, and with whole windows over padding. */
const apart: readonly Layout[] = [
  { x: [2, 3, 8, 8], w: [5, 3, 3], stride: 2, padding: [0, 1, 0, 1] },
  { x: [1, 4, 9, 34], w: [6, 3, 3], stride: 2, padding: around },
  { x: [1, 3, 7, 8], w: [2, 1, 1], stride: 2 },
  { x: [2, 2, 11, 10], w: [3, 2, 2], stride: 3, padding: [0, 0, 1, 0] },
  { x: [1, 2, 3, 4], w: [2, 1, 2], padding: [2, 1, 0, 3] },
  { x: [1, 90, 12, 20], w: [60, 3, 3], stride: 2, padding: [0, 1, 0, 1] },
  // Fewer pixels than there are from window to window.
  { x: [1, 2, 1, 5], w: [2, 1, 1], stride: 3 },
];
/** More weights of a kernel, and more windows, than are packed at a time. */
const large: readonly Layout[] = [
  { x: [1, 2, 31, 30], w: [1, 28, 28], padding: around },
  { x: [1, 1, 260, 260], w: [1, 1, 1] },
  { x: [3, 2, 151, 149], w: [1, 1, 2] },
];

const attributesOf = ({ stride = 1, padding = [0, 0, 0, 0] }: Layout) => ({ stride, padding });

function outputOf({ x: [B, , H, W], w: [O, kh, kw], ...windows }: Layout & object): number[] {
  const { stride, padding } = attributesOf(windows as Layout);
  const rows = Math.floor((padding[0]! + H + padding[1]! - kh) / stride) + 1;
  const columns = Math.floor((padding[2]! + W + padding[3]! - kw) / stride) + 1;
  return [B, O, rows, columns];
}

const forward = (layouts: readonly Layout[]): Case[] =>
  layouts.flatMap((layout, i) => {
    const { x, w } = layout;
    const inputs = [{ shape: x }, { shape: [w[0], x[1], w[1], w[2]] }, { shape: [w[0]] }];
    const activation = i % 2 === 0 ? activations.none : activations.relu;
    return {
      inputs: i % 3 === 1 ? inputs.slice(0, 2) : inputs,
      attributes: { ...attributesOf(layout), activation },
    };
  });
const gradInput = (layouts: readonly Layout[]): Case[] =>
  layouts.map((layout) => ({
    inputs: [{ shape: outputOf(layout) }, { shape: [layout.w[0], layout.x[1], layout.w[1], layout.w[2]] }],
    attributes: { ...attributesOf(layout), height: layout.x[2], width: layout.x[3] },
  }));
const gradParams = (layouts: readonly Layout[]): Case[] =>
  layouts.map((layout) => ({
    inputs: [{ shape: layout.x }, { shape: outputOf(layout) }],
    attributes: { ...attributesOf(layout), size: layout.w.slice(1) },
  }));

conformance('conv2d', forward([...whole, ...padded]));
conformance('conv2d', forward(apart));
conformance('conv2dGradInput', gradInput([...whole, ...padded]), { hides: [] });
conformance('conv2dGradInput', gradInput(apart));
conformance('conv2dGradParams', gradParams([...whole, ...padded]));
conformance('conv2dGradParams', gradParams(apart));
conformance('conv2d', forward(large.slice(0, 1)));
conformance('conv2dGradInput', gradInput(large.slice(0, 1)), { hides: [] });
conformance('conv2dGradParams', gradParams(large));

/** The sum of the definition, pixel by pixel. */
function plainConvolution(layout: Layout, x: Float64Array, w: Float64Array, b: Float64Array): number[] {
  const [B, C, H, W] = layout.x;
  const [O, kh, kw] = layout.w;
  const { stride, padding } = attributesOf(layout);
  const [, , rows, columns] = outputOf(layout) as [number, number, number, number];
  const y: number[] = [];
  for (let image = 0; image < B; image++)
    for (let o = 0; o < O; o++)
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++) {
          let total = b[o]!;
          for (let c = 0; c < C; c++)
            for (let p = 0; p < kh; p++)
              for (let q = 0; q < kw; q++) {
                const [row, column] = [i * stride + p - padding[0]!, j * stride + q - padding[2]!];
                if (row < 0 || row >= H || column < 0 || column >= W) continue;
                const pixel = x[((image * C + c) * H + row) * W + column]!;
                total += w[((o * C + c) * kh + p) * kw + q]! * pixel;
              }
          y.push(total);
        }
  return y;
}

describe('conv2d by its definition', () => {
  it.each([...whole, ...padded.slice(0, 7), ...apart.slice(0, 5)])(
    '$x by $w, stride $stride, padding $padding',
    async (layout) => {
      const { x, w } = layout;
      const kernels = [w[0], x[1], w[1], w[2]];
      const program = trace('convolution', (graph) => {
        const [images, weights, bias] = [
          graph.input('x', x),
          graph.input('w', kernels),
          graph.input('b', [w[0]]),
        ];
        const { stride, padding } = attributesOf(layout);
        const y = conv2d(images, weights, bias, {
          stride,
          padding: padding as [number, number, number, number],
        });
        const g = graph.input('g', outputOf(layout));
        const [dx, dw, db] = grad(sum(mul(y, g)), [images, weights, bias]);
        return { y, dx: dx!, dw: dw!, db: db! };
      });
      const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
      const values = {
        x: randomValues(size(x), 1),
        w: randomValues(size(kernels), 2),
        b: randomValues(w[0], 3),
        g: randomValues(size(outputOf(layout)), 4),
      };
      const executable = await referenceBackend({ float: 'float64' }).compile(program, new Map());
      await executable.run(values);
      const got = await outputsOf(executable);
      const y = plainConvolution(layout, values.x, values.w, values.b);
      expect(relativeError(got.get('y')!, y)).toBeLessThan(1e-7);
      // Linear in each argument: what a direction adds to the weighted sum is its product with the gradient.
      const loss = (numbers: ArrayLike<number>): number =>
        values.g.reduce((total, g, i) => total + g * numbers[i]!, 0);
      const zeros = new Float64Array(w[0]);
      const along = (name: string, direction: Float64Array): number =>
        direction.reduce((total, d, i) => total + d * got.get(name)![i]!, 0);
      const [dx, dw, db] = [randomValues(size(x), 5), randomValues(size(kernels), 6), randomValues(w[0], 7)];
      const near = (a: number, b: number): void =>
        expect(Math.abs(a - b)).toBeLessThan(1e-5 * (1 + Math.abs(b)));
      near(along('dx', dx), loss(plainConvolution(layout, dx, values.w, zeros)));
      near(along('dw', dw), loss(plainConvolution(layout, values.x, dw, zeros)));
      near(along('db', db), loss(plainConvolution(layout, new Float64Array(size(x)), values.w, db)));
    },
  );
});

const processors = testBackends().filter(({ label }) => label.startsWith('cpu '));
describe.each(processors)('conv2d on $label', ({ label, skip }) => {
  const isa = label.replace('cpu ', '') as Isa;
  it.skipIf(skip).each(['fp32', 'bf16'] as const)(
    'has the same bits in %s for any number of threads, as has its gradient',
    async (precision) => {
      const shapes = { x: [2, 20, 37, 19], w: [110, 20, 3, 3], v: [9, 110, 3, 3] };
      const values = Object.fromEntries(
        Object.entries(shapes).map(([name, shape], i) => [
          name,
          randomValues(
            shape.reduce((a, b) => a * b, 1),
            i + 1,
          ),
        ]),
      );
      const program = trace('layers', (graph) => {
        const [x, w, v] = Object.entries(shapes).map(([name, shape]) => graph.input(name, shape));
        const y = relu(conv2d(x!, w!, undefined, { padding: 1 }));
        const z = conv2d(y, v!, undefined, { padding: 1, stride: 2 });
        const [dx, dw, dv] = grad(sum(mul(z, z)), [x!, w!, v!]);
        return { z, dx: dx!, dw: dw!, dv: dv! };
      });
      const run = async (threads: number): Promise<Map<string, HostArray>> => {
        const executable = await cpuBackend({ isa, precision, threads }).compile(program, new Map());
        await executable.run(values);
        return outputsOf(executable);
      };
      const one = await run(1);
      for (const threads of [2, 3, 5]) expect(await run(threads)).toEqual(one);
    },
  );
});

describe.each(processors)('conv2d on $label', ({ label, skip }) => {
  const isa = label.replace('cpu ', '') as Isa;
  it.skipIf(skip).each(['fp32', 'bf16'] as const)(
    'does not see in %s what its memory held before, nor does its gradient',
    async (precision) => {
      const shapes = { w: [4, 3, 3, 3], v: [2, 4, 1, 1] };
      const compile = (backend: CpuBackend, shape: readonly number[]) => {
        const program = trace('layers', (graph) => {
          const [x, w, v] = Object.entries({ x: shape, ...shapes }).map(([name, own]) =>
            graph.input(name, own),
          );
          // Windows that leave out pixels, whose gradient is 0, and rows of windows, of an odd number, that are longer than vectors.
          const z = conv2d(conv2d(x!, w!, undefined, { padding: 1 }), v!, undefined, { stride: 2 });
          const [dx, dw, dv] = grad(sum(mul(z, z)), [x!, w!, v!]);
          return { z, dx: dx!, dw: dw!, dv: dv! };
        });
        return backend.compile(program, new Map());
      };
      const weights = { w: randomValues(108, 2), v: randomValues(8, 3) };
      const run = async (executable: Executable): Promise<Map<string, HostArray>> => {
        await executable.run({ x: randomValues(735, 1), ...weights });
        return outputsOf(executable);
      };
      const [fresh, used] = [cpuBackend({ isa, precision }), cpuBackend({ isa, precision })];
      const wanted = await run(await compile(fresh, [1, 3, 7, 35]));
      const before = await compile(used, [2, 3, 27, 35]);
      await before.run({ x: new Float32Array(2 * 3 * 27 * 35).fill(NaN), ...weights });
      expect(await run(await compile(used, [1, 3, 7, 35]))).toEqual(wanted);
      expect(wanted.get('dw')!.every(Number.isFinite)).toBe(true);
    },
  );
});

describe.each(testBackends())('conv2d and relu on $label', ({ label, create, skip }) => {
  it.skipIf(skip).each(['fp32', 'bf16'] as const)(
    'are one kernel in %s, with the bits of two',
    async (precision) => {
      const [x, w] = [
        [2, 40, 9, 11],
        [21, 40, 3, 3],
      ];
      const build = (together: boolean) =>
        trace('layers', (graph) => {
          const weights = graph.input('w', w);
          const inner = relu(conv2d(graph.input('x', x), weights, undefined, { padding: 1 }));
          const z = conv2d(inner, graph.input('u', [30, 21, 1, 1]));
          const y = relu(z);
          const total = sum(conv2d(y, graph.input('v', [2, 30, 1, 1])));
          const [dw] = grad(total, [weights]);
          // What a program is asked for has to be made.
          return together ? { dw: dw!, total } : { dw: dw!, total, z };
        });
      const values = Object.fromEntries(
        [...build(true).inputs].map(({ name, shape }, i) => [
          name!,
          randomValues(
            shape.reduce((a, b) => a * b, 1),
            i + 1,
          ),
        ]),
      );
      const backend = create(precision);
      const [one, two] = await Promise.all(
        [true, false].map(async (together) => {
          const executable = await backend.compile(build(together), new Map());
          await executable.run(values);
          const relus = executable.program.nodes.filter(({ op }) => op.name === 'relu').length;
          return { relus, results: await outputsOf(executable) };
        }),
      );
      expect([one!.relus, two!.relus]).toEqual(label === 'reference' ? [0, 0] : [0, 1]);
      for (const name of ['dw', 'total']) expect(one!.results.get(name)).toEqual(two!.results.get(name));
    },
  );
});

describe('conv2d names what does not fit', () => {
  const build =
    (x: readonly number[], w: readonly number[], options = {}, b?: readonly number[]) =>
    (): unknown =>
      trace('wrong', (graph) => ({
        y: conv2d(graph.input('x', x), graph.input('w', w), b && graph.input('b', b), options),
      }));
  it.each([
    [build([8, 3, 32], [16, 3, 3, 3]), 'conv2d: x must be [B, C, H, W] (4 axes), got [8, 3, 32]'],
    [
      build([8, 3, 32, 32], [16, 4, 3, 3]),
      'conv2d: w must be [O, C, kh, kw] = [O, 3, kh, kw], got [16, 4, 3, 3]',
    ],
    [build([8, 3, 32, 32], [16, 3, 9]), 'conv2d: w must be [O, C, kh, kw] = [O, 3, kh, kw], got [16, 3, 9]'],
    [build([8, 3, 32, 32], [16, 3, 3, 3], {}, [3]), 'conv2d: b must be [O] = [16], got [3]'],
    [build([8, 3, 32, 32], [16, 3, 3, 3], { stride: 0 }), 'conv2d: stride must be a positive integer, got 0'],
    [
      build([8, 3, 32, 32], [16, 3, 3, 3], { padding: -1 }),
      'conv2d: padding must be four integers of at least 0, for top, bottom, left and right, got [-1, -1, -1, -1]',
    ],
    [
      build([8, 3, 2, 32], [16, 3, 5, 3], { padding: 1 }),
      'conv2d: the image with its padding must be at least as large as the kernel, 5 x 3, got 4 x 34',
    ],
  ])('case %#', (wrong, message) => {
    expect(wrong).toThrow(message);
  });
});
