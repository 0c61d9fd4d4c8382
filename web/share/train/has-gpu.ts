import { describeGpu } from '../../../src/backends/webgpu/adapter.ts';
import type { GpuSource } from '../../../src/backends/webgpu/contract.ts';

/** Whether there is a GPU by WebGPU, and no program that plays one. */
export async function hasGpu(): Promise<boolean> {
  const { gpu } = navigator as { readonly gpu?: GpuSource };
  try {
    return gpu !== undefined && !(await describeGpu(gpu)).isSoftware;
  } catch {
    return false;
  }
}
