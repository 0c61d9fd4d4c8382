// A device for tests: SwiftShader, a GPU in software that comes with Debian's chromium, so that any machine has the same one.
import { existsSync } from 'node:fs';
import { openNodeGpu } from '../../src/backends/node-gpu.ts';
import type { Gpu } from '../../src/backends/webgpu/device.ts';
import { openGpu } from '../../src/backends/webgpu/adapter.ts';

export interface TestGpu {
  readonly gpu?: Gpu;
  /** Why there is none; undefined where there is. */
  readonly skip?: string;
}

/** What tells Vulkan of SwiftShader, in the folders in which distributions have it. */
const drivers = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
];

async function open(): Promise<TestGpu> {
  const driver = drivers.find((file) => existsSync(file));
  if (driver === undefined) return { skip: 'there is no SwiftShader, which comes with chromium' };
  process.env['VK_ICD_FILENAMES'] = driver;
  try {
    return { gpu: await openGpu((await openNodeGpu()).source) };
  } catch (error) {
    return { skip: (error as Error).message };
  }
}

export const testGpu: TestGpu = await open();
