import type { Backend, Precision } from '../../src/backends/backend.ts';
import { cpuBackend, cpuIsas } from '../../src/backends/cpu/index.ts';
import { knownIsas } from '../../src/backends/cpu/native.ts';
import type { Half } from '../../src/tensor/dtype.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { type FixedTuning, backendOn } from '../../src/backends/webgpu/index.ts';
import { wasmBackendOf } from '../../src/backends/wasm/index.ts';
import { testGpu } from './gpu.ts';
import { testKernels } from './wasm.ts';

export interface TestBackend {
  readonly label: string;
  readonly create: (precision?: Precision) => Backend;
  /** What it stores in two bytes: bfloat16 by default. Without any it computes in float32 alone. */
  readonly halves?: readonly Half[];
  /** Why this machine cannot run it; undefined where it can. */
  readonly skip?: string;
}

export const bothHalves: readonly Half[] = ['bfloat16', 'float16'];

/** The reference in float32, the CPU backend once for every instruction set, and WebGPU on a device that all tests of a file share. */
export function testBackends(): TestBackend[] {
  const { isas, problem } = available();
  return [
    {
      label: 'reference',
      create: (precision = 'fp32') => referenceBackend({ precision }),
      halves: bothHalves,
    },
    ...knownIsas.toReversed().map((isa) => ({
      label: `cpu ${isa}`,
      create: (precision: Precision = 'fp32') => cpuBackend({ isa, precision, threads: 2 }),
      ...(!isas.includes(isa) && { skip: problem ?? `this machine has no ${isa}` }),
    })),
    {
      label: 'webgpu',
      create: (precision = 'fp32') => backendOn(testGpu.gpu!, { precision }),
      halves: bothHalves,
      ...(testGpu.skip !== undefined && { skip: testGpu.skip }),
    },
  ];
}

/** The same, and WebAssembly, which computes in float32 alone. */
export function float32Backends(): TestBackend[] {
  return [...testBackends(), { label: 'wasm', create: () => wasmBackendOf(testKernels()), halves: [] }];
}

/** Those that compute in float64 where an op asks for it. */
export function float64Backends(): TestBackend[] {
  return testBackends().filter(({ label }) => label !== 'webgpu');
}

function available(): { isas: readonly string[]; problem?: string } {
  try {
    return { isas: cpuIsas() };
  } catch (error) {
    return { isas: [], problem: (error as Error).message.split('\n')[0]! };
  }
}

const onHardware: FixedTuning = { lanes: 64, products: 'tiled' };

/** WebGPU with work shared out as on a GPU of hardware, whatever runs it. @param ways of forms of work, by name */
export function webGpuBy(ways: FixedTuning['ways'] = {}): TestBackend {
  const names = Object.values(ways);
  return {
    label: ['webgpu as hardware', ...names].join(', '),
    create: (precision = 'fp32') => backendOn(testGpu.gpu!, { precision, tuning: { ...onHardware, ways } }),
    ...(testGpu.skip !== undefined && { skip: testGpu.skip }),
  };
}

export const webGpuAsHardware: TestBackend = webGpuBy();

/** The same with lanes that tell each other through subgroups. */
export const webGpuBySubgroups: TestBackend = {
  ...webGpuAsHardware,
  label: 'webgpu by subgroups',
  create: (precision = 'fp32') =>
    backendOn(testGpu.gpu!, { precision, tuning: { ...onHardware, subgroups: true } }),
};
