// Products on WebGPU by both ways of sharing out work, whichever this machine would choose.
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backends/backend.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { backendOn } from '../../../src/backends/webgpu/index.ts';
import { cast } from '../../../src/ops/index.ts';
import type { Op } from '../../../src/ops/op.ts';
import { type OpName, ops } from '../../../src/ops/registry.ts';
import { type Program, lowPrecisionOf, trace } from '../../../src/program/index.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import type { Attributes } from '../../../src/tensor/tensor.ts';
import { relativeError } from '../../support/conformance.ts';
import { testGpu } from '../../support/gpu.ts';
import { outputsOf } from '../../support/outputs.ts';
import { randomValues } from '../../support/random.ts';

interface Layer {
  readonly name: OpName;
  readonly inputs: readonly (readonly number[])[];
  readonly attributes: Attributes;
  /** Tried in tiles of a workgroup, too. Their shaders take SwiftShader seconds to compile: so are those that differ most. */
  readonly inTiles?: boolean;
}

const none = { activation: 0 };
const padding = [1, 1, 1, 1];
/** Tiles of a workgroup that are whole, that are not, vectors that do not fit, sums in parts, and rows that are an odd number of halves. */
const layers: readonly Layer[] = [
  // More products, and more columns, than a dispatch can count.
  {
    name: 'matmul',
    inputs: [
      [65_540, 1, 2],
      [65_540, 2, 1],
    ],
    attributes: { transposeA: 0, transposeB: 0 },
  },
  {
    name: 'matmul',
    inputs: [
      [1, 2],
      [2, 1_048_600],
    ],
    attributes: { transposeA: 0, transposeB: 0 },
  },
  {
    name: 'matmul',
    inputs: [
      [3, 70, 33],
      [3, 33, 66],
    ],
    attributes: { transposeA: 0, transposeB: 0 },
  },
  { name: 'linear', inputs: [[64, 128], [64, 128], [64]], attributes: { activation: 1 } },
  { name: 'linear', inputs: [[67, 301], [71, 301], [71]], inTiles: true, attributes: none },
  { name: 'linear', inputs: [[2, 40], [24, 40], [24]], attributes: none },
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
      [2100, 72],
      [2100, 65],
    ],
    inTiles: true,
    attributes: { activation: 1 },
  },
  {
    name: 'linearGradParams',
    inputs: [
      [2, 550, 9],
      [2, 550, 7],
      [2, 9],
      [2, 9],
    ],
    attributes: none,
  },
  // Whole vectors, of which the last tile of an invocation has one of two, in rows as in columns.
  {
    name: 'linearGradParams',
    inputs: [
      [24, 20],
      [24, 12],
    ],
    attributes: none,
  },
  {
    name: 'conv2d',
    inputs: [[2, 20, 9, 12], [70, 20, 3, 3], [70]],
    inTiles: true,
    attributes: { stride: 1, padding, activation: 3 },
  },
  {
    name: 'conv2d',
    inputs: [
      [1, 5, 17, 19],
      [66, 5, 3, 3],
    ],
    attributes: { stride: 2, padding, activation: 0 },
  },
  {
    name: 'conv2d',
    inputs: [
      [2, 24, 7, 11],
      [65, 24, 1, 1],
    ],
    inTiles: true,
    attributes: { stride: 1, padding: [0, 0, 0, 0], activation: 0 },
  },
  {
    name: 'conv2dGradInput',
    inputs: [
      [2, 20, 9, 12],
      [20, 66, 3, 3],
    ],
    inTiles: true,
    attributes: { stride: 1, padding, height: 9, width: 12 },
  },
  {
    name: 'conv2dGradInput',
    inputs: [
      [1, 6, 9, 10],
      [6, 20, 3, 3],
    ],
    attributes: { stride: 2, padding, height: 17, width: 19 },
  },
  {
    name: 'conv2dGradInput',
    inputs: [
      [2, 65, 7, 11],
      [65, 64, 1, 1],
    ],
    attributes: { stride: 1, padding: [0, 0, 0, 0], height: 7, width: 11 },
  },
  {
    name: 'conv2dGradParams',
    inputs: [
      [3, 9, 21, 24],
      [3, 64, 21, 24],
    ],
    inTiles: true,
    attributes: { stride: 1, padding, size: [3, 3] },
  },
  {
    name: 'conv2dGradParams',
    inputs: [
      [2, 5, 17, 19],
      [2, 7, 9, 10],
    ],
    attributes: { stride: 2, padding, size: [3, 3] },
  },
];

/** @param isLow whether all that may be is stored in bfloat16 */
function programOf({ name, inputs, attributes }: Layer, isLow: boolean): Program {
  const op = ops[name] as Op;
  return trace(name, (graph) => {
    const given = inputs.map((shape, i) => graph.input(`x${i}`, shape));
    const rule = isLow ? lowPrecisionOf(op, given) : undefined;
    if (rule === undefined || rule === 'same')
      return Object.fromEntries(graph.append(op, given, attributes).map((y, i) => [`y${i}`, y]));
    const read = given.map((x, i) => (rule.inputs.includes(i) ? cast(x, 'bfloat16') : x));
    const types = op
      .infer(read, attributes)
      .map((type, i) => (rule.outputs.includes(i) ? { ...type, dtype: 'bfloat16' as const } : type));
    const outputs = graph.append(op, read, attributes, types);
    return Object.fromEntries(outputs.map((y, i) => [`y${i}`, cast(y, 'float32')]));
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

const tunings = [
  { lanes: 64, products: 'tiled' },
  { lanes: 1, products: 'direct' },
] as const;

/** Numbers that bfloat16 holds meet weights that it does not: as they are, these would be 2^-9 off. */
const rounded: readonly Layer[] = [
  {
    name: 'linear',
    inputs: [
      [9, 40],
      [12, 40],
    ],
    attributes: none,
  },
  {
    name: 'linear',
    inputs: [
      [70, 35],
      [67, 35],
    ],
    inTiles: true,
    attributes: none,
  },
  {
    name: 'linearGradInput',
    inputs: [
      [70, 35],
      [35, 67],
    ],
    attributes: none,
  },
  {
    name: 'linearGatedResidual',
    inputs: [[2, 40, 24], [68, 24], [68], [2, 40, 68], [2, 68]],
    attributes: {},
  },
  {
    name: 'conv2d',
    inputs: [
      [1, 8, 9, 9],
      [66, 8, 3, 3],
    ],
    attributes: { stride: 1, padding, activation: 0 },
  },
  {
    name: 'conv2dGradInput',
    inputs: [
      [1, 8, 9, 9],
      [8, 66, 3, 3],
    ],
    inTiles: true,
    attributes: { stride: 1, padding, height: 9, width: 9 },
  },
];

describe.skipIf(testGpu.skip).each(tunings)('products on WebGPU, $products', (tuning) => {
  const backend = (): Backend => backendOn(testGpu.gpu!, { tuning });
  const chosen = (given: readonly Layer[]): readonly Layer[] =>
    given.filter(({ inTiles = false }) => tuning.products === 'direct' || inTiles);
  it.each(chosen(layers))('$name of $inputs', async (layer) => {
    for (const isLow of [false, true]) {
      const program = programOf(layer, isLow);
      const wanted = await resultsOf(referenceBackend({ float: 'float64' }), program);
      const got = await resultsOf(backend(), program);
      for (const [name, numbers] of wanted)
        expect(relativeError(got.get(name)!, numbers)).toBeLessThanOrEqual(isLow ? 4e-3 : 2e-6);
    }
  });

  it.each(chosen(rounded))(
    '$name of $inputs meets data in bfloat16 with weights that are rounded so',
    async (layer) => {
      const op = ops[layer.name] as Op;
      const program = trace('rounded', (graph) => {
        const [x, ...others] = layer.inputs.map((shape, i) => graph.input(`x${i}`, shape));
        return { y: graph.append(op, [cast(x!, 'bfloat16'), ...others], layer.attributes)[0]! };
      });
      const wanted = await resultsOf(referenceBackend({ float: 'float64' }), program);
      const got = await resultsOf(backend(), program);
      expect(relativeError(got.get('y')!, wanted.get('y')!)).toBeLessThanOrEqual(1e-6);
    },
  );
});
