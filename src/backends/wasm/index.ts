// WebAssembly with SIMD, on one thread: for pages without WebGPU, and wherever native code cannot be loaded.
import { isBuiltIn } from '../../ops/registry.ts';
import { lower, oncePerProgram } from '../../program/index.ts';
import type { Program } from '../../program/index.ts';
import { dtypeError } from '../../tensor/errors.ts';
import { Lifetime } from '../../tensor/lifetime.ts';
import type { Backend, Buffer, Buffers, Executable } from '../backend.ts';
import { checkBuffers, checkDTypes } from '../checks.ts';
import type { Profile } from '../profile.ts';
import { WasmBuffer } from './buffer.ts';
import { type CompiledKernels, type KernelSource, compileKernels } from './engine.ts';
import { bindProgram, scratchBytes } from './executable.ts';
import { startMachine } from './machine.ts';
import { kernels } from './ops/index.ts';

export type { KernelResponse, KernelSource } from './engine.ts';

export interface WasmExecutable extends Executable {
  profile(): Profile;
}

export interface WasmBackend extends Backend {
  compile(program: Program, buffers: Buffers): Promise<WasmExecutable>;
}

const dtypes = ['float32', 'int32'] as const;

/**
 * Runs programs by kernels of WebAssembly SIMD, on the thread that calls it, in float32 and in memory of at most 4 GiB.
 * @param source the file `rectiflow/kernels.wasm`
 * @throws RectiflowError where that cannot be read, or the host has no WebAssembly with SIMD
 */
export async function wasmBackend(source: KernelSource): Promise<WasmBackend> {
  return wasmBackendOf(await compileKernels(source));
}

/** The same of kernels that are compiled already. */
export function wasmBackendOf(compiled: CompiledKernels): WasmBackend {
  const machine = startMachine(compiled);
  const { exclusively, lives } = machine;
  const life = new Lifetime('the wasm backend', async () => {
    await lives.dispose();
    await exclusively(() => undefined);
  });
  const isOwn = (buffer: Buffer): buffer is WasmBuffer =>
    buffer instanceof WasmBuffer && buffer.machine === machine;
  // A primitive without a kernel is computed by its plain implementation, on the same memory.
  const lowered = oncePerProgram((program) =>
    lower(program, 'wasm', (op) => op.kind === 'primitive' || (isBuiltIn(op) && kernels.has(op.name))),
  );
  return {
    name: 'wasm',
    precision: 'fp32',
    describe: () => 'WebAssembly SIMD, fp32, one thread',
    allocate(type) {
      life.check();
      if (!dtypes.includes(type.dtype as (typeof dtypes)[number]))
        throw dtypeError('wasm', 'a buffer', dtypes.join(' or '), type.dtype);
      return new WasmBuffer(type, machine);
    },
    lower: lowered,
    scratchBytes,
    async compile(traced, buffers) {
      life.check();
      const program = lowered(traced);
      checkDTypes('wasm', program, dtypes);
      const own = checkBuffers(program, buffers, isOwn);
      for (const [name, buffer] of own) buffer.life.check(`program ${program.name}: the buffer for ${name}`);
      return bindProgram(program, own, machine);
    },
    dispose: () => life.dispose(),
  };
}
