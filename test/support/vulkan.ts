// A device of a driver of Vulkan's: a process has one set of drivers for all its life.
import { openNodeGpu } from '../../src/backends/node-gpu.ts';
import { openGpu } from '../../src/backends/webgpu/adapter.ts';
import type { Gpu } from '../../src/backends/webgpu/device.ts';

export interface TestGpu {
  readonly gpu?: Gpu;
  /** Why there is none; undefined where there is. */
  readonly skip?: string;
}

/** @param driver the file by which a driver tells of itself; undefined where there is none @param absent what to say then */
export async function openDriver(driver: string | undefined, absent: string): Promise<TestGpu> {
  if (driver === undefined) return { skip: absent };
  process.env['VK_ICD_FILENAMES'] = driver;
  try {
    return { gpu: await openGpu((await openNodeGpu()).source) };
  } catch (error) {
    return { skip: (error as Error).message };
  }
}
