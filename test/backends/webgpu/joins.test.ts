// What WebGPU joins beyond the fusions of ops computes the same, and a step of the digits' model takes as few dispatches as it should.
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/backends/backend.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { openGpu } from '../../../src/backends/webgpu/adapter.ts';
import type { GpuSource } from '../../../src/backends/webgpu/contract.ts';
import { backendOn } from '../../../src/backends/webgpu/index.ts';
import { joinNodes } from '../../../src/backends/webgpu/joins/index.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { allocateState, createModel, recipeConfig, resolveConfig, runProgram } from '../../../src/index.ts';
import type { Program } from '../../../src/program/index.ts';
import type { HostArray } from '../../../src/tensor/dtype.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import { relativeError } from '../../support/conformance.ts';
import { testGpu } from '../../support/gpu.ts';
import { randomValues } from '../../support/random.ts';

const { gpu, skip } = testGpu;
const title = (name: string): string => `${name}${skip ? ` (skipped: ${skip})` : ''}`;

/** Wide enough that all is joined, and small. */
const tiny: ConfigInput = {
  data: { source: 'custom' },
  model: { width: 64, depth: 2, heads: 2, patchSize: 4, imageSize: 8, channels: 1, classes: 3 },
  train: { batchSize: 2 },
};

function stepOf(config: ConfigInput): Program {
  const resolved = resolveConfig(config);
  return runProgram(resolved, createModel(resolved.model));
}

type Numbers = ReadonlyMap<string, HostArray>;

/**
 * Outputs, and the first moments after the run, which are the gradients' shares, by name. All weights are random: those that begin as zeros
 * would hide the rest.
 */
async function computed(backend: Backend, program: Program): Promise<Numbers> {
  const buffers = allocateState(backend, program);
  for (const { name, shape, dtype } of program.state) {
    const isWeight = !name!.includes('/') && dtype === 'float32';
    if (isWeight)
      await buffers.get(name!)!.write(randomValues(sizeOf(shape), name!.length).map((v) => 0.15 * v));
  }
  const inputs = Object.fromEntries(
    program.inputs.map(({ name, shape, dtype }) => {
      const size = sizeOf(shape);
      if (dtype === 'int32') return [name!, new Int32Array(size).fill(name === 'firstSample' ? 0 : 1)];
      return [name!, name === 'x0' ? randomValues(size, 7) : new Float32Array(size).fill(1e-3)];
    }),
  );
  const executable = await backend.compile(program, buffers);
  await executable.run(inputs);
  const outputs = await executable.read([...program.outputs.keys()]);
  const state = await Promise.all(
    [...buffers]
      .filter(([name]) => name.startsWith('adamw.m/'))
      .map(async ([name, buffer]) => [name, await buffer.read()] as const),
  );
  await executable.dispose();
  return new Map([...Object.entries(outputs), ...state]);
}

/** What is not as it was wanted, with how far it is off. */
function farApart(found: Numbers, wanted: Numbers, tolerance: number): [name: string, error: number][] {
  const errors = Array.from(wanted, ([name, values]): [string, number] => [
    name,
    relativeError(found.get(name)!, values),
  ]);
  return errors.filter(([, error]) => !(error <= tolerance));
}

const joinsOf = (program: Program): string[] => [
  ...new Set(program.nodes.filter(({ op }) => 'kernel' in op).map(({ op }) => op.name)),
];

describe.skipIf(skip !== undefined)(title('nodes that are joined'), { timeout: 240_000 }, () => {
  it.each([
    ['fp32', 'keep'],
    ['fp32', 'recompute'],
    ['bf16', 'keep'],
  ] as const)('are what they stand for, in %s with memory %s', async (precision, memory) => {
    const step = stepOf({ ...tiny, train: { ...tiny.train, precision, memory } });
    const lowered = backendOn(gpu!, { precision }).lower(step);
    const joined = joinNodes(lowered);
    expect(joinsOf(joined)).toEqual([
      ...(precision === 'bf16' ? ['casts'] : []),
      'linear, split',
      'layerNormModulateGrad, gatedResidualGrad',
      'concat, linearGradParams, linearGradInput',
      'globalNorm, concat',
    ]);
    expect(joined.nodes.length).toBeLessThan(lowered.nodes.length);
    const wanted = await computed(referenceBackend(), lowered);
    const found = await computed(referenceBackend(), joined);
    // What is kept was rounded to bfloat16 by then, where the reference makes it again of what was not.
    expect(farApart(found, wanted, precision === 'fp32' ? 0 : 2e-2)).toEqual([]);
  });

  it.each([
    ['fp32', 1e-4],
    ['bf16', 5e-2],
  ] as const)('make the step of the reference, in %s within %f', async (precision, tolerance) => {
    const step = stepOf({ ...tiny, train: { ...tiny.train, precision } });
    const wanted = await computed(referenceBackend({ precision }), step);
    const found = await computed(backendOn(gpu!, { precision }), step);
    expect(farApart(found, wanted, tolerance)).toEqual([]);
  });
});

/** Dawn's device that checks all it is told, and computes nothing. */
async function nullGpu(): Promise<{
  readonly source: GpuSource;
  readonly gpu: Awaited<ReturnType<typeof openGpu>>;
}> {
  const { create } = (await import('webgpu')) as unknown as { create(flags: string[]): GpuSource };
  const source = create(['backend=null']);
  return { source, gpu: await openGpu(source) };
}

describe.skipIf(skip !== undefined)(title("a step of the digits' model"), { timeout: 120_000 }, () => {
  const software = { lanes: 1, products: 'direct' } as const;
  const hardware = { lanes: 64, products: 'tiled' } as const;
  it.each([
    ['fp32', software],
    ['bf16', software],
    ['fp32', hardware],
    ['bf16', hardware],
  ] as const)('is fewer than 200 dispatches, in %s with %o', async (precision, tuning) => {
    const { source, gpu: device } = await nullGpu();
    const backend = backendOn(device, { precision, tuning });
    const program = stepOf(recipeConfig('digits'));
    const executable = await backend.compile(program, allocateState(backend, program));
    expect(executable.dispatches).toBeLessThan(200);
    await backend.dispose();
    await device.close();
    expect(source).toBeDefined();
  });
});
