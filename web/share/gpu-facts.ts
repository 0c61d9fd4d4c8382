import { describeGpu } from '../../src/backends/webgpu/adapter.ts';
import type { DeviceFacts, GpuSource } from '../../src/backends/webgpu/contract.ts';

/** What WebGPU finds here: a GPU, or a program that plays one (`isSoftware`); undefined where it finds nothing. */
export async function gpuFacts(): Promise<DeviceFacts | undefined> {
  const { gpu } = navigator as { readonly gpu?: GpuSource };
  return gpu && describeGpu(gpu).catch(() => undefined);
}
