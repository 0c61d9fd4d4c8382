// Every way in which work can be shared out, of those that may be chosen at a start: the numbers are the reference's, and where sums keep
// their order, those of the other ways to the bit.
import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { backendOn } from '../../../src/backends/webgpu/index.ts';
import { busyWays, directShapes, tiledShapes } from '../../../src/backends/webgpu/products/ways.ts';
import { laneCounts } from '../../../src/backends/webgpu/rows/ways.ts';
import { cast } from '../../../src/ops/index.ts';
import type { Op } from '../../../src/ops/op.ts';
import { type OpName, ops } from '../../../src/ops/registry.ts';
import { type Program, trace } from '../../../src/program/index.ts';
import type { HostArray } from '../../../src/tensor/dtype.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import type { Attributes } from '../../../src/tensor/tensor.ts';
import { webGpuBy } from '../../support/backends.ts';
import { conformance, relativeError } from '../../support/conformance.ts';
import { testGpu } from '../../support/gpu.ts';
import { outputsOf } from '../../support/outputs.ts';
import { randomValues } from '../../support/random.ts';

interface Layer {
  readonly name: OpName;
  readonly inputs: readonly (readonly number[])[];
  readonly attributes: Attributes;
}

/** All inputs in float32, or those that may be in bfloat16. */
function programOf({ name, inputs, attributes }: Layer, low: readonly number[] = []): Program {
  return trace(name, (graph) => {
    const given = inputs.map((shape, i) => {
      const x = graph.input(`x${i}`, shape);
      return low.includes(i) ? cast(x, 'bfloat16') : x;
    });
    return { y: graph.append(ops[name] as Op, given, attributes)[0]! };
  });
}

async function outputOf(program: Program, product?: string): Promise<HostArray> {
  const backend =
    product === undefined
      ? referenceBackend({ float: 'float64' })
      : backendOn(testGpu.gpu!, { tuning: { lanes: 1, products: 'direct', ways: { product } } });
  const executable = await backend.compile(program, new Map());
  const values = program.inputs.map(({ name, shape }, i) => [
    name!,
    Float32Array.from(randomValues(sizeOf(shape), i + 1)),
  ]);
  await executable.run(Object.fromEntries(values));
  return (await outputsOf(executable)).get('y')!;
}

const isSame = (a: HostArray, b: HostArray): boolean => a.every((value, i) => Object.is(value, b[i]));

// Rows, columns and terms that are no multiples of a tile or of 4; and terms that are looked up.
const linear: Layer = {
  name: 'linear',
  inputs: [[131, 301], [71, 301], [71]],
  attributes: { activation: 0 },
};
const conv2d: Layer = {
  name: 'conv2d',
  inputs: [[1, 8, 9, 9], [66, 8, 3, 3], [66]],
  attributes: { stride: 1, padding: [1, 1, 1, 1], activation: 0 },
};
const gradParams: Layer = {
  name: 'linearGradParams',
  inputs: [
    [2100, 72],
    [2100, 68],
  ],
  attributes: { activation: 1 },
};
const shapes = Object.keys({ ...directShapes, ...tiledShapes });

describe.skipIf(testGpu.skip)('ways of a product on WebGPU', () => {
  it.each([
    ['linear', linear, []],
    ['linear of bfloat16', linear, [0]],
    ['conv2d', conv2d, []],
  ] as const)('%s is the same to the bit by all of them', async (_, layer, low) => {
    const program = programOf(layer, low);
    const results = await Promise.all(shapes.map((shape) => outputOf(program, shape)));
    expect(relativeError(results[0]!, await outputOf(program))).toBeLessThanOrEqual(2e-6);
    expect(shapes.filter((_shape, i) => !isSame(results[i]!, results[0]!))).toEqual([]);
  });

  it.each([
    ['float32', []],
    ['bfloat16', [0, 1]],
  ] as const)('a sum of many terms of %s is the same to the bit by all that cut it alike', async (_, low) => {
    const program = programOf(gradParams, low);
    const wanted = await outputOf(program);
    const whole = await Promise.all(shapes.map((shape) => outputOf(program, `${shape} for 1`)));
    expect(shapes.filter((_shape, i) => !isSame(whole[i]!, whole[0]!))).toEqual([]);
    for (const busy of busyWays) {
      const result = await outputOf(program, `${shapes.at(-1)} for ${busy}`);
      expect(relativeError(result, wanted)).toBeLessThanOrEqual(low.length > 0 ? 4e-3 : 2e-6);
      // What is in parts is added up in another order: by that a choice is told from another in other tests.
      if (busy !== 1) expect(isSame(result, whole[0]!)).toBe(false);
    }
  });
});

const counts = laneCounts.filter((count) => ![1, 64].includes(count));
const byLanes = counts.map((count) => webGpuBy({ rows: `${count}` }));
const token = [1, 3, 260] as const;
conformance(
  'layerNormModulate',
  [
    {
      inputs: [{ shape: token, value: (u) => 3 * u + 1 }, { shape: [1, 260] }, { shape: [1, 260] }],
      attributes: { epsilon: 1e-6 },
    },
  ],
  { differentiable: [0] },
  byLanes,
);
conformance('softmax', [{ inputs: [{ shape: [2, 261], value: (u) => 3 * u }] }], {}, byLanes);
