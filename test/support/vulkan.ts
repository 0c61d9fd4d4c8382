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
  askLessOften();
  try {
    return { gpu: await openGpu((await openNodeGpu()).source) };
  } catch (error) {
    return { skip: (error as Error).message };
  }
}

/**
 * While Dawn waits it asks the device for news at every turn of the event loop, which keeps a core busy. A driver that is a program
 * computes on that core: for it, Dawn asks once in a millisecond.
 */
function askLessOften(): void {
  const { setImmediate } = globalThis;
  const isOfDawn = (callback: unknown): boolean => String(callback).includes('[native code]');
  const deferred = (callback: () => void, ...given: []): unknown =>
    isOfDawn(callback) ? setTimeout(callback, 1) : setImmediate(callback, ...given);
  globalThis.setImmediate = Object.assign(deferred, setImmediate) as typeof setImmediate;
}
