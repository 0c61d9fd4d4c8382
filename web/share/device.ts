// What computes in a worker of the page.
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { wasmBackend } from '../../src/backends/wasm/index.ts';
import type { GpuSource } from '../../src/backends/webgpu/contract.ts';
import { webGpuBackend } from '../../src/backends/webgpu/open.ts';
import kernels from '../../dist/kernels.wasm?url';
import type { DeviceName } from './device-names.ts';
import { gpuFacts } from './gpu-facts.ts';

export interface Device {
  readonly backend: Backend;
  /** In words, and why it is no faster one. */
  readonly device: string;
  /** Whether it is a program in place of a GPU. */
  readonly isSlow: boolean;
}

type Tell = ((text: string) => void) | undefined;

/**
 * What is chosen. Else, and where that cannot be had, the fastest there is: a GPU by WebGPU, WebAssembly with SIMD, a program that plays a GPU,
 * the interpreter. Numbers are float32.
 * @param onNotice told what users should know
 */
export async function openDevice(chosen?: DeviceName, onNotice?: Tell): Promise<Device> {
  const facts = await gpuFacts();
  const isPlayed = facts?.isSoftware === true;
  const reasons: string[] = [];
  if (isPlayed && chosen === undefined)
    reasons.push(`what WebGPU finds (${facts.name}) is a slower program in place of a GPU`);
  const byPace = isPlayed ? (['wasm', 'webgpu'] as const) : (['webgpu', 'wasm'] as const);
  const why = (name: DeviceName): string => {
    if (name === chosen) return ', as you chose';
    return reasons.length > 0 ? `, because ${reasons.join(', and ')}` : '';
  };
  // The one that is chosen comes first, the others after it as they were.
  const order = byPace.toSorted((a, b) => Number(b === chosen) - Number(a === chosen));
  for (const name of chosen === 'interpreter' ? [] : order)
    try {
      const { backend, words } = await (name === 'webgpu' ? openGpu(onNotice) : openWasm());
      return { backend, device: `${words}${why(name)}`, isSlow: name === 'wasm' || isPlayed };
    } catch (error) {
      reasons.push(problemOf(error));
    }
  return { backend: referenceBackend(), device: `the interpreter${why('interpreter')}`, isSlow: true };
}

interface Opened {
  readonly backend: Backend;
  readonly words: string;
}

async function openGpu(onNotice: Tell): Promise<Opened> {
  const { gpu } = navigator as { readonly gpu?: GpuSource };
  if (gpu === undefined) throw new Error('this browser has no WebGPU');
  const backend = await webGpuBackend(gpu, { onNotice });
  return { backend, words: `${backend.facts.name}, by WebGPU` };
}

async function openWasm(): Promise<Opened> {
  return { backend: await wasmBackend(new URL(kernels, import.meta.url)), words: 'WebAssembly' };
}

/** Without what to do about it in Node.js, which is of no use to a visitor. */
function problemOf(error: unknown): string {
  return (error as Error).message.split(/\n|\. /)[0]!;
}
