// From what a host hands over to a device.
import { RectiflowError } from '../../tensor/errors.ts';
import type { DeviceFacts, GpuSource, WebGpuOptions } from './contract.ts';
import { Gpu } from './device.ts';
import { type ListedMatrix, checkMatrices, matrixFeature, usableShapes } from './matrices.ts';
import { clockFeature } from './timing.ts';

const subgroupFeature = 'subgroups';

/** What is asked of a device where its adapter has it. */
const usedFeatures = [clockFeature, subgroupFeature] as GPUFeatureName[];
const float16Feature = 'shader-f16';
const ofMatrices = [matrixFeature, float16Feature] as GPUFeatureName[];

/** @throws RectiflowError where there is no adapter, or it lacks the subgroup matrices that are asked for */
export async function openGpu(
  source: GpuSource,
  { subgroupMatrices = false }: Pick<WebGpuOptions, 'subgroupMatrices'> = {},
): Promise<Gpu> {
  const adapter = await findAdapter(source);
  const facts = factsOf(adapter);
  if (subgroupMatrices) checkMatrices(facts.name, adapter.features, listedBy(adapter));
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  // A device has the least of limits that are guaranteed everywhere, unless it is asked for more.
  const requiredLimits = { maxBufferSize, maxStorageBufferBindingSize };
  const wanted = [...usedFeatures, ...(subgroupMatrices ? ofMatrices : [])];
  const requiredFeatures = wanted.filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures });
  if (!subgroupMatrices) return new Gpu(device, facts);
  const matrices = usableShapes(listedBy(adapter), adapter.features.has(float16Feature));
  return new Gpu(device, { ...facts, matrices });
}

/** What there is, without a device. @throws RectiflowError where there is no adapter */
export async function describeGpu(source: GpuSource): Promise<DeviceFacts> {
  return factsOf(await findAdapter(source));
}

async function findAdapter(source: GpuSource): Promise<GPUAdapter> {
  const adapter = await (source as GPU).requestAdapter({ powerPreference: 'high-performance' });
  if (adapter !== null) return adapter;
  throw new RectiflowError(
    'backend',
    'webgpu: there is no GPU that WebGPU can use here (no adapter). In a browser see its page about the GPU ' +
      '(chrome://gpu, about:support). In Node.js on Linux it needs Vulkan and the driver of your GPU (Debian, Ubuntu: apt-get ' +
      "install libvulkan1, with mesa-vulkan-drivers for AMD and Intel, or NVIDIA's own driver). Without, set backend.name to cpu",
  );
}

function factsOf({ info, limits, features }: GPUAdapter): DeviceFacts {
  const words = [info.vendor, info.architecture, info.device].filter(Boolean).join(' ');
  const name = info.description || words || 'GPU';
  return {
    name,
    identity: [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(', '),
    isSoftware:
      info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${name} ${words}`),
    limits: {
      buffer: limits.maxBufferSize,
      binding: limits.maxStorageBufferBindingSize,
      storageBuffers: limits.maxStorageBuffersPerShaderStage,
    },
    features: [...features].toSorted(),
    ...subgroupsOf(info, features),
  };
}

/** No types of WebGPU know of the experiment yet. */
function listedBy({ info }: GPUAdapter): readonly ListedMatrix[] {
  return (info as { subgroupMatrixConfigs?: readonly ListedMatrix[] }).subgroupMatrixConfigs ?? [];
}

function subgroupsOf(
  { subgroupMinSize: smallest, subgroupMaxSize: largest }: GPUAdapterInfo,
  features: GPUSupportedFeatures,
): Pick<DeviceFacts, 'subgroupSizes'> {
  const isTold = features.has(subgroupFeature) && smallest !== undefined && largest !== undefined;
  return isTold ? { subgroupSizes: { smallest, largest } } : {};
}
