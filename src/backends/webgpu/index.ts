// Any GPU, by WebGPU: in Node.js through the package `webgpu`, in a page as the browser has it. Nothing here knows which.
import { isBuiltIn } from '../../ops/registry.ts';
import { lower, oncePerProgram, planMemory } from '../../program/index.ts';
import type { Program } from '../../program/index.ts';
import { RectiflowError } from '../../tensor/errors.ts';
import { Lifetime, Lifetimes, serial } from '../../tensor/lifetime.ts';
import type { Backend, Buffer, Buffers, Precision } from '../backend.ts';
import { checkBuffers, checkDTypes } from '../checks.ts';
import { precisionPass } from '../precision.ts';
import { Gpu } from './device.ts';
import type { Tuning } from './dispatch.ts';
import type { WebGpuExecutable } from './executable.ts';
import { bindProgram } from './executable.ts';
import { kernels } from './kernels/index.ts';
import { type Machine, Slabs, WebGpuBuffer } from './memory.ts';

export type { Tuning } from './dispatch.ts';
export type { WebGpuExecutable } from './executable.ts';

/** What WebGPU begins with: `navigator.gpu` of a page, or what the package `webgpu` makes. */
export interface GpuSource {
  requestAdapter(options?: object): Promise<object | null>;
}

export interface WebGpuOptions {
  /** Default `fp32`. */
  readonly precision?: Precision;
  /** How kernels share out work; by the kind of adapter by default. */
  readonly tuning?: Tuning;
  /** Called when the backend has been disposed of. */
  readonly onDispose?: () => void | Promise<void>;
}

export interface WebGpuBackend extends Backend {
  compile(program: Program, buffers: Buffers): Promise<WebGpuExecutable>;
}

/**
 * Runs programs on a GPU.
 * @throws RectiflowError where there is no adapter, or it lacks what the precision needs
 */
export async function webGpuBackend(source: GpuSource, options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  const gpu = await openGpu(source);
  return backendOn(gpu, {
    ...options,
    onDispose: async () => {
      await gpu.close();
      await options.onDispose?.();
    },
  });
}

/** A backend on a device that others may use, too: it leaves the device as it is when it is disposed of. */
export function backendOn(gpu: Gpu, options: WebGpuOptions = {}): WebGpuBackend {
  const { precision = 'fp32', onDispose } = options;
  const inPrecision = precisionPass('webgpu', precision, halves);
  const tuning = options.tuning ?? (gpu.facts.isSoftware ? software : hardware);
  const machine: Machine = { gpu, slabs: new Slabs(gpu), exclusively: serial(), lives: new Lifetimes() };
  const { lives, exclusively } = machine;
  const life = new Lifetime('the webgpu backend', async () => {
    await lives.dispose();
    await exclusively(() => onDispose?.());
  });
  const isOwn = (buffer: Buffer): buffer is WebGpuBuffer =>
    buffer instanceof WebGpuBuffer && buffer.machine === machine;
  const lowered = oncePerProgram((program) =>
    lower(inPrecision(program), 'webgpu', (op) => isBuiltIn(op) && kernels.has(op.name)),
  );
  return {
    name: 'webgpu',
    precision,
    runsAhead: true,
    describe: () => `${gpu.facts.name} by WebGPU, ${precision}`,
    allocate(type) {
      life.check();
      return new WebGpuBuffer(type, machine);
    },
    lower: lowered,
    async compile(traced, buffers) {
      life.check();
      gpu.check();
      const program = lowered(traced);
      checkDTypes('webgpu', program, ['float32', ...halves, 'int32']);
      const own = checkBuffers(program, buffers, isOwn);
      for (const [name, buffer] of own) buffer.life.check(`program ${program.name}: the buffer for ${name}`);
      return bindProgram(program, planMemory(program), own, { machine, tuning });
    },
    dispose: () => life.dispose(),
  };
}

/** What there are kernels for, beside float32. */
const halves = ['bfloat16'] as const;

const software: Tuning = { lanes: 1, products: 'direct' };
const hardware: Tuning = { lanes: 64, products: 'tiled' };

/** @throws RectiflowError where there is no adapter */
export async function openGpu(source: GpuSource): Promise<Gpu> {
  const adapter = await (source as GPU).requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    throw new RectiflowError(
      'backend',
      'webgpu: there is no GPU that WebGPU can use here (no adapter). In a browser see its page about the GPU ' +
        '(chrome://gpu, about:support); in Node.js install the driver of Vulkan for your GPU, or set backend: cpu',
    );
  }
  const { info, limits } = adapter;
  const device = await adapter.requestDevice({ requiredLimits: wantedLimits(limits) });
  const name =
    info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(' ') || 'GPU';
  const isSoftware =
    info.isFallbackAdapter || /swiftshader|llvmpipe|basic render/i.test(`${name} ${info.architecture}`);
  return new Gpu(device, { name, isSoftware });
}

/** A device has the least of limits that are guaranteed everywhere, unless it is asked for more. */
function wantedLimits({
  maxBufferSize,
  maxStorageBufferBindingSize,
}: GPUSupportedLimits): Record<string, number> {
  return { maxBufferSize, maxStorageBufferBindingSize };
}
