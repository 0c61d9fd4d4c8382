// The GPU of Node.js: Dawn, from the optional package `webgpu`.
import { RectiflowError } from '../tensor/errors.ts';
import { type WebGpuBackend, type WebGpuOptions, type GpuSource, webGpuBackend } from './webgpu/index.ts';

interface WebGpuPackage {
  readonly create: (flags: string[]) => GpuSource;
}

/** Dawn lives as long as somebody holds what it gave: were that collected, the process would die. */
const held = new Set<GpuSource>();

/**
 * The backend of this machine's GPU. Dispose of it: a process that holds a device does not end by itself.
 * @throws RectiflowError where the package is not installed, does not run here, or finds no GPU
 */
export async function nodeWebGpuBackend(options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  const { source, release } = await openNodeGpu();
  const onDispose = async (): Promise<void> => {
    release();
    await options.onDispose?.();
  };
  try {
    return await webGpuBackend(source, { ...options, onDispose });
  } catch (error) {
    release();
    throw error;
  }
}

/** What WebGPU begins with in Node.js, and what lets go of it. @throws RectiflowError where the package is not installed */
export async function openNodeGpu(): Promise<{ readonly source: GpuSource; readonly release: () => void }> {
  const source = await load();
  held.add(source);
  return { source, release: () => void held.delete(source) };
}

async function load(): Promise<GpuSource> {
  let loaded: WebGpuPackage;
  try {
    loaded = (await import('webgpu')) as unknown as WebGpuPackage;
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const why = isMissing ? 'it is not installed' : (error as Error).message;
    throw new RectiflowError(
      'backend',
      `webgpu: GPUs are reached from Node.js through the package "webgpu", and ${why}. Install it beside rectiflow: npm install webgpu`,
      { cause: error },
    );
  }
  return loaded.create([]);
}
