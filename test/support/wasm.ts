// The kernels of WebAssembly, as `npm run build` made them.
import { existsSync, readFileSync } from 'node:fs';
import type { CompiledKernels } from '../../src/backends/wasm/engine.ts';

const file = new URL('../../dist/kernels.wasm', import.meta.url);
let compiled: CompiledKernels | undefined;

/** The bytes of the file. @throws where there is none */
export function kernelBytes(): Uint8Array {
  if (!existsSync(file))
    throw new Error('there is no dist/kernels.wasm: run `npm run build`, which makes it');
  return new Uint8Array(readFileSync(file));
}

/** Compiled once for all tests of a file. */
export function testKernels(): CompiledKernels {
  const { WebAssembly } = globalThis as unknown as {
    readonly WebAssembly: { readonly Module: new (bytes: Uint8Array) => CompiledKernels };
  };
  return (compiled ??= new WebAssembly.Module(kernelBytes()));
}
