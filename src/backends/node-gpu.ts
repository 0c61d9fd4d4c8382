// The GPU of Node.js: Dawn, from the optional package `webgpu`.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cacheFolder } from '../host/cache-folder.ts';
import { readJsonFile, writeJsonFile } from '../host/json-file.ts';
import { findInstalled, installCommand } from '../host/optional-package.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { TuningStore } from './backend.ts';
import { describeGpu } from './webgpu/adapter.ts';
import type { DeviceFacts, GpuSource, WebGpuBackend, WebGpuOptions } from './webgpu/contract.ts';
import { webGpuBackend } from './webgpu/open.ts';

interface WebGpuPackage {
  readonly create: (flags: string[]) => GpuSource;
}

const packageName = 'webgpu';

/** Dawn lives as long as somebody holds what it gave: were that collected, the process would die. */
const held = new Set<GpuSource>();

/**
 * The backend of this machine's GPU, by the package `webgpu`. Dispose of it: a process that holds a device does not end by itself.
 * @throws RectiflowError where the package is not installed, does not run here, or finds no GPU
 */
export async function nodeWebGpuBackend(options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  const { source, release } = await openNodeGpu(options);
  const onDispose = async (): Promise<void> => {
    release();
    await options.onDispose?.();
  };
  try {
    return await webGpuBackend(source, { tuningStore: tuningCache(), ...options, onDispose });
  } catch (error) {
    release();
    throw error;
  }
}

/** What GPUs of this machine were found to be fastest with, for all projects of a user. */
function tuningCache(): TuningStore {
  const path = join(cacheFolder(), 'webgpu-tuning.json');
  return {
    name: path,
    read: () => readJsonFile(path),
    write: (record) => writeJsonFile(path, record, true),
  };
}

/** What WebGPU begins with in Node.js, and what lets go of it. @throws RectiflowError where the package is not installed */
export async function openNodeGpu({
  subgroupMatrices = false,
}: Pick<WebGpuOptions, 'subgroupMatrices'> = {}): Promise<{
  readonly source: GpuSource;
  readonly release: () => void;
}> {
  // Dawn keeps experiments from those who do not ask for them.
  const source = await load(subgroupMatrices ? ['enable-dawn-features=allow_unsafe_apis'] : []);
  held.add(source);
  return { source, release: () => void held.delete(source) };
}

/**
 * What GPU there is, without opening it.
 * @returns its facts, or why there is none, in a sentence
 */
export async function lookForGpu(): Promise<DeviceFacts | string> {
  // Asked in vain, Dawn itself writes of it to the terminal.
  if (findInstalled(packageName) !== undefined && lacksVulkan())
    return 'the package webgpu is installed, but no driver for Vulkan is';
  try {
    const { source, release } = await openNodeGpu();
    try {
      return await describeGpu(source);
    } finally {
      release();
    }
  } catch (error) {
    if (error instanceof RectiflowError) return error.message;
    throw error;
  }
}

/** @param flags of Dawn's */
async function load(flags: string[]): Promise<GpuSource> {
  const installed = findInstalled(packageName);
  try {
    if (installed === undefined) throw new Error('it is not installed');
    const { create } = (await import(pathToFileURL(installed).href)) as WebGpuPackage;
    return create(flags);
  } catch (error) {
    const why = (error as Error).message.split('\n')[0];
    const again = installed === undefined ? '' : ' again';
    throw new RectiflowError(
      'backend',
      `webgpu: GPUs are reached from Node.js through the package ${packageName}, and ${why}. Install it${again}: ${installCommand(packageName)}`,
      { cause: error },
    );
  }
}

/** Where Vulkan looks for the files by which drivers tell of themselves. */
const driverFolders = ['/etc/vulkan/icd.d', '/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];
const driverVariables = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES', 'XDG_DATA_DIRS'];

/** Whether it is certain that there is no GPU: on Linux, where no driver for Vulkan has been installed. */
function lacksVulkan(): boolean {
  if (process.platform !== 'linux') return false;
  const { env } = process;
  const home = env['XDG_DATA_HOME'] ?? join(env['HOME'] ?? '/', '.local/share');
  const folders = [...driverFolders, join(home, 'vulkan/icd.d')];
  return driverVariables.every((name) => !env[name]) && folders.every((folder) => !hasDriver(folder));
}

function hasDriver(folder: string): boolean {
  try {
    return readdirSync(folder).some((file) => file.endsWith('.json'));
  } catch {
    return false;
  }
}
