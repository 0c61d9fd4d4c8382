// Products by subgroup matrices. No driver at hand has them: Dawn checks their shaders, and SwiftShader runs them with the matrices emulated.
import { afterAll, describe, expect, it } from 'vitest';
import type { Backend, TuningStore } from '../../../src/backends/backend.ts';
import { nodeWebGpuBackend, openNodeGpu } from '../../../src/backends/node-gpu.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { describeGpu } from '../../../src/backends/webgpu/adapter.ts';
import type { GpuSource } from '../../../src/backends/webgpu/contract.ts';
import { backendOn, openGpu } from '../../../src/backends/webgpu/index.ts';
import { type ListedMatrix, usableShapes } from '../../../src/backends/webgpu/matrices.ts';
import { webGpuBackend } from '../../../src/backends/webgpu/open.ts';
import { productWork } from '../../../src/backends/webgpu/products/ways.ts';
import { cast } from '../../../src/ops/index.ts';
import type { Op } from '../../../src/ops/op.ts';
import { type OpName, ops } from '../../../src/ops/registry.ts';
import { type Program, lowPrecisionOf, trace } from '../../../src/program/index.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import type { Attributes, Tensor } from '../../../src/tensor/tensor.ts';
import { relativeError } from '../../support/conformance.ts';
import { testGpu } from '../../support/gpu.ts';
import { emulated, lacking, withMatrices } from '../../support/matrices.ts';
import { outputsOf } from '../../support/outputs.ts';
import { randomValues } from '../../support/random.ts';

interface Layer {
  readonly name: OpName;
  readonly inputs: readonly (readonly number[])[];
  readonly attributes: Attributes;
}

/** Tiles that are whole and that are not, factors along either axis, batches, sums in parts and of rows, and what follows at once. */
const layers: readonly Layer[] = [
  ...[
    [0, 1],
    [1, 0],
  ].map(([transposeA, transposeB]): Layer => ({
    name: 'matmul',
    inputs: [
      [2, ...(transposeA ? [35, 70] : [70, 35])],
      [2, ...(transposeB ? [67, 35] : [35, 67])],
    ],
    attributes: { transposeA: transposeA!, transposeB: transposeB! },
  })),
  { name: 'linear', inputs: [[64, 128], [64, 128], [64]], attributes: { activation: 1 } },
  { name: 'linear', inputs: [[67, 301], [71, 301], [71]], attributes: { activation: 0 } },
  {
    name: 'linearGatedResidual',
    inputs: [[2, 40, 24], [68, 24], [68], [2, 40, 68], [2, 68]],
    attributes: {},
  },
  {
    name: 'linearGradInput',
    inputs: [
      [67, 70],
      [70, 66],
      [67, 66],
    ],
    attributes: { activation: 2 },
  },
  {
    name: 'linearGradParams',
    inputs: [
      [1100, 72],
      [1100, 65],
    ],
    attributes: { activation: 1 },
  },
];

/** @param isLow whether all that may be is stored in float16 */
function programOf({ name, inputs, attributes }: Layer, isLow: boolean): Program {
  const op = ops[name] as Op;
  return trace(name, (graph) => {
    const given = inputs.map((shape, i) => graph.input(`x${i}`, shape));
    const rule = isLow ? lowPrecisionOf(op, given) : undefined;
    const isIn = (which: 'inputs' | 'outputs', i: number): boolean =>
      rule !== undefined && rule !== 'same' && rule[which].includes(i);
    const read = given.map((x, i) => (isIn('inputs', i) ? cast(x, 'float16') : x));
    const types = op
      .infer(read, attributes)
      .map((type, i) => (isIn('outputs', i) ? { ...type, dtype: 'float16' as const } : type));
    const outputs = graph.append(op, read, attributes, types);
    return Object.fromEntries(
      outputs.map((y, i) => [`y${i}`, y.dtype === 'float16' ? cast(y, 'float32') : y]),
    );
  });
}

async function resultsOf(backend: Backend, program: Program) {
  const values = program.inputs.map(({ name, shape }, i) => [
    name!,
    Float32Array.from(randomValues(sizeOf(shape), i + 1)),
  ]);
  const executable = await backend.compile(program, new Map());
  await executable.run(Object.fromEntries(values));
  return outputsOf(executable);
}

const matrixOf = (componentType: string, M: number, N: number, K: number, to = 'f32'): ListedMatrix => ({
  componentType,
  resultComponentType: to,
  M,
  N,
  K,
});

/** Products of batches stay in float32, of which matrices of float16 are not made. */
const layersFor = ({ componentType }: ListedMatrix): readonly Layer[] =>
  layers.filter(({ name }) => componentType === 'f32' || name !== 'matmul');

const experiments = 'enable-dawn-features=allow_unsafe_apis';
/** Dawn dies with a process that lets go of what it gave too early. */
const held = new Set<GpuSource>();
afterAll(() => held.clear());

/** Dawn's host that checks all it is told, and computes nothing. */
async function nullSource(flags: readonly string[] = [experiments]): Promise<GpuSource> {
  const { create } = (await import('webgpu')) as unknown as { create(flags: string[]): GpuSource };
  const source = create(['backend=null', ...flags]);
  held.add(source);
  return source;
}
const installed = await nullSource().then(
  () => undefined,
  () => 'the package webgpu is not installed',
);
const title = (name: string, why: string | undefined): string => (why ? `${name} (skipped: ${why})` : name);

describe.skipIf(installed)(title('shaders of subgroup matrices', installed), () => {
  it.each([
    ['fp32', matrixOf('f32', 8, 8, 8)],
    ['fp32', matrixOf('f32', 16, 16, 4)],
    ['bf16', matrixOf('f32', 8, 8, 8)],
    ['fp16', matrixOf('f16', 16, 16, 16)],
    ['fp16', matrixOf('f16', 16, 8, 16)],
    ['fp16', matrixOf('f16', 8, 16, 32)],
    ['fp16', matrixOf('f32', 8, 8, 8)],
  ] as const)('are accepted by Dawn, in %s by %o', async (precision, matrix) => {
    const codes: string[] = [];
    const compile = (code: string): string => (codes.push(code), code);
    const gpu = await openGpu(withMatrices(await nullSource(), { listed: [matrix], compile }), {
      subgroupMatrices: true,
    });
    const backend = backendOn(gpu, { precision, subgroupMatrices: true, tuning: 'off' });
    for (const layer of layersFor(matrix)) {
      codes.length = 0;
      await backend.compile(programOf(layer, precision === 'fp16'), new Map());
      expect(
        codes.filter((code) => code.includes(`subgroup_matrix_left<${matrix.componentType},`)),
      ).toHaveLength(1);
    }
    await backend.dispose();
    await gpu.close();
  });
});

const size = 4;
describe.skipIf(testGpu.skip)(
  title('products by subgroup matrices', testGpu.skip),
  { timeout: 240_000 },
  () => {
    it.each([
      [false, matrixOf('f32', 8, 8, 8), size, layers],
      [true, matrixOf('f16', 16, 8, 16), size, layers.filter(({ name }) => name !== 'matmul')],
      // Of subgroups that are smaller than they may be, some have nothing to multiply.
      [true, matrixOf('f32', 8, 16, 4), 2 * size, layers.slice(-2)],
    ] as const)(
      'have the numbers of others, where halves are %s, by %o, in subgroups of at most %i',
      async (isLow, matrix, largest, chosen) => {
        let emulations = 0;
        const compile = (code: string): string => {
          const text = emulated(code, size);
          if (text !== code) emulations++;
          return text;
        };
        const { source, release } = await openNodeGpu();
        const backend = await webGpuBackend(
          withMatrices(source, { listed: [matrix], sizes: [size, largest], pretended: lacking, compile }),
          { precision: isLow ? 'fp16' : 'fp32', subgroupMatrices: true },
        );
        try {
          for (const layer of chosen) {
            const program = programOf(layer, isLow);
            const wanted = await resultsOf(referenceBackend({ float: 'float64' }), program);
            const got = await resultsOf(backend, program);
            for (const [name, numbers] of wanted)
              expect(relativeError(got.get(name)!, numbers), `${layer.name} ${name}`).toBeLessThanOrEqual(
                isLow ? 6e-4 : 2e-6,
              );
          }
          expect(emulations).toBe(chosen.length);
        } finally {
          await backend.dispose();
          release();
        }
      },
    );
  },
);

describe.skipIf(testGpu.skip)(title('experiments of Dawn', testGpu.skip), () => {
  const featuresBy = async (subgroupMatrices: boolean): Promise<readonly string[]> => {
    const { source, release } = await openNodeGpu({ subgroupMatrices });
    const { features } = await describeGpu(source);
    release();
    return features;
  };

  it('are left alone, but for the setting', async () => {
    const [without, having] = [await featuresBy(false), await featuresBy(true)];
    expect(having).toEqual(expect.arrayContaining([...without]));
    expect(having.length).toBeGreaterThan(without.length);
  });

  it('are not in SwiftShader, which refuses the setting', async () => {
    await expect(nodeWebGpuBackend({ subgroupMatrices: true })).rejects.toThrow(
      /^webgpu: subgroupMatrices is true, and .*SwiftShader.* does not have chromium-experimental-subgroup-matrix among its features here/,
    );
  });
});

describe.skipIf(installed)(title('subgroup matrices', installed), () => {
  const float16 = matrixOf('f16', 16, 16, 16);
  const opened = async (
    listed: readonly ListedMatrix[],
    options: { readonly precision?: 'fp32' | 'bf16' | 'fp16'; readonly flags?: string[] } = {},
  ): Promise<void> => {
    const { precision = 'fp32', flags } = options;
    const source = withMatrices(await nullSource(flags), { listed });
    await (await webGpuBackend(source, { precision, subgroupMatrices: true })).dispose();
  };

  it('are refused where the adapter has no feature for them', async () => {
    await expect(opened([float16], { flags: [] })).rejects.toThrow(
      /^webgpu: subgroupMatrices is true, and .* does not have chromium-experimental-subgroup-matrix among its features here\. Set backend\.subgroupMatrices to false$/,
    );
  });

  it('are refused where the adapter lists none that products are made of', async () => {
    await expect(opened([])).rejects.toThrow(/ lists none\. Products take those of f32 or f16 /);
    const others = [
      matrixOf('f16', 16, 16, 16, 'f16'),
      matrixOf('u8', 8, 8, 32, 'u32'),
      matrixOf('f32', 64, 8, 8),
    ];
    await expect(opened(others)).rejects.toThrow(
      / lists only f16 to f16 of M 16, N 16, K 16; u8 to u32 of M 8, N 8, K 32; f32 to f32 of M 64, N 8, K 8\. /,
    );
  });

  it.each(['fp32', 'bf16'] as const)(
    'of float16 are refused in %s, whose range is larger',
    async (precision) => {
      await expect(opened([float16], { precision })).rejects.toThrow(
        /multiplies matrices of f16 only, whose range is too small for precision .*\. Set backend\.subgroupMatrices to false, or train\.precision to fp16$/,
      );
      await opened([float16, matrixOf('f32', 8, 8, 8)], { precision });
    },
  );

  it('are refused on a device that was opened without them', async () => {
    const gpu = await openGpu(await nullSource());
    expect(() => backendOn(gpu, { subgroupMatrices: true })).toThrow(/ was opened without them\. /);
    await gpu.close();
  });

  it('are timed beside the other ways', async () => {
    const codes: string[] = [];
    const compile = (code: string): string => (codes.push(code), code);
    const source = withMatrices(await nullSource(), { listed: [matrixOf('f32', 8, 8, 8)], compile });
    let kept: unknown;
    const tuningStore: TuningStore = {
      name: 'memory',
      read: () => Promise.resolve(kept),
      write: (record) => Promise.resolve(void (kept = record)),
    };
    const backend = await webGpuBackend(source, { subgroupMatrices: true, tuning: 'on', tuningStore });
    await backend.compile(
      programOf(
        layers.find(({ name }) => name === 'linear')!,
        false,
      ),
      new Map(),
    );
    await backend.dispose();
    expect(codes.filter((code) => code.includes('subgroup_matrix_left'))).toHaveLength(1);
    expect(codes.filter((code) => code.includes('vec4f(aTile')).length).toBeGreaterThan(1);
    expect(JSON.stringify(kept)).toMatch(/"product [^"]* matrices f32 8x8x8":/);
  });

  it('are the usual way of their own class of work, of the largest that is listed', () => {
    const listed = [matrixOf('f32', 8, 8, 4), matrixOf('f32', 16, 8, 8), float16];
    const matrices = { largest: 32, shapes: usableShapes(listed, true) };
    const tensor = (dtype: 'float32' | 'float16'): Tensor =>
      ({ dtype, shape: [64, 64] }) as unknown as Tensor;
    const work = (dtype: 'float32' | 'float16', M = 64, has = true) =>
      productWork(
        {
          M,
          N: 64,
          K: 64,
          a: { operand: tensor(dtype), contiguous: 'k', stride: 64 },
          b: { operand: tensor(dtype), contiguous: 'k', stride: 64 },
          outputs: [{ name: 'y', tensor: tensor(dtype), value: 'v' }],
        },
        { products: 'tiled', ...(has && { matrices }) },
      );
    expect(work('float32').usual).toBe('matrices f32 16x8x8');
    expect(work('float16').usual).toBe('matrices f16 16x16x16');
    expect(work('float32').key).not.toBe(work('float32', 64, false).key);
    expect(work('float32', 64, false).usual).toMatch(/^tiled/);
    expect(work('float32', 4)).toEqual(work('float32', 4, false));
  });
});
