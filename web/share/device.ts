// What computes in a worker of the page.
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { wasmBackend } from '../../src/backends/wasm/index.ts';
import { webGpuBackend } from '../../src/backends/webgpu/open.ts';
import kernels from '../../dist/kernels.wasm?url';

export interface Device {
  readonly backend: Backend;
  /** In words. */
  readonly device: string;
  /** Whether it is a program in place of a GPU. */
  readonly isSlow: boolean;
}

/**
 * The GPU, where the browser has WebGPU; else WebAssembly, where that has SIMD; else the interpreter. Numbers are float32.
 * @param onNotice told what users should know
 */
export async function openDevice(onNotice?: (text: string) => void): Promise<Device> {
  const { gpu } = navigator as { readonly gpu?: Parameters<typeof webGpuBackend>[0] };
  const reasons: string[] = [];
  try {
    if (gpu === undefined) throw new Error('this browser has no WebGPU');
    const backend = await webGpuBackend(gpu, { onNotice });
    return { backend, device: `${backend.facts.name}, by WebGPU`, isSlow: backend.facts.isSoftware };
  } catch (error) {
    reasons.push(problemOf(error));
  }
  try {
    const backend = await wasmBackend(new URL(kernels, import.meta.url));
    return { backend, device: `WebAssembly, because ${reasons.join(', ')}`, isSlow: true };
  } catch (error) {
    reasons.push(problemOf(error));
  }
  return {
    backend: referenceBackend(),
    device: `the interpreter, because ${reasons.join(', and ')}`,
    isSlow: true,
  };
}

/** Without what to do about it in Node.js, which is of no use to a visitor. */
function problemOf(error: unknown): string {
  return (error as Error).message.split(/\n|\. /)[0]!;
}
