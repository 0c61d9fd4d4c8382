import { openGpu } from './adapter.ts';
import type { GpuSource, WebGpuBackend, WebGpuOptions } from './contract.ts';
import { backendOn } from './index.ts';

/**
 * Runs programs on a GPU: of a page's `navigator.gpu`, in a worker too, or of another host that has WebGPU.
 * @throws RectiflowError where there is no adapter, or it lacks what the precision or `subgroupMatrices` needs
 */
export async function webGpuBackend(source: GpuSource, options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  const gpu = await openGpu(source, options);
  const onDispose = async (): Promise<void> => {
    await gpu.close();
    await options.onDispose?.();
  };
  try {
    return backendOn(gpu, { ...options, onDispose });
  } catch (error) {
    await gpu.close();
    throw error;
  }
}
