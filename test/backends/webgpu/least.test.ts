// A GPU that has no more than WebGPU guarantees everywhere: no feature, and the lowest limits. It trains as any other does.
import { describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../src/backends/node-gpu.ts';
import type { Backend } from '../../../src/backends/backend.ts';
import type { GpuSource, WebGpuOptions } from '../../../src/backends/webgpu/contract.ts';
import { webGpuBackend } from '../../../src/backends/webgpu/open.ts';
import { train } from '../../../src/index.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { testGpu } from '../../support/gpu.ts';
import { checkpointDigests, stripes, tinyStripes } from '../../support/tiny-run.ts';

const { skip } = testGpu;
const steps = 4;

/** A source of devices that have what is guaranteed, and nothing else; kept, to be looked at. */
function least(source: GpuSource, devices: GPUDevice[]): GpuSource {
  return {
    async requestAdapter() {
      const { info, requestDevice } = await bound(source);
      const device = await requestDevice();
      devices.push(device);
      return { info, limits: device.limits, features: new Set(), requestDevice: async () => device };
    },
  };
}

async function bound(source: GpuSource): Promise<Pick<GPUAdapter, 'info' | 'requestDevice'>> {
  const adapter = (await source.requestAdapter()) as GPUAdapter;
  return { info: adapter.info, requestDevice: (asked) => adapter.requestDevice(asked) };
}

async function trained(backend: Backend): Promise<Record<string, string>> {
  const config = {
    ...tinyStripes,
    ema: { decays: [0.9, 0.99] },
    heldOut: { count: 4, every: 2 },
    train: { ...tinyStripes.train, steps, microBatch: 3, precision: backend.precision },
  };
  const { run } = await train(config, { source: stripes(), runs: await temporaryFolder(), backend });
  await backend.dispose();
  return checkpointDigests(run, steps);
}

describe.skipIf(skip)(
  `a GPU with what is guaranteed${skip ? ` (skipped: ${skip})` : ''}`,
  { timeout: 240_000 },
  () => {
    it.each<[string, WebGpuOptions]>([
      ['as a program, in fp32', {}],
      ['as hardware, in fp32', { tuning: { lanes: 64, products: 'tiled' } }],
      ['as hardware, in bf16', { tuning: { lanes: 64, products: 'tiled' }, precision: 'bf16' }],
    ])('trains to the bits of one with more, %s', async (_, options) => {
      const { source, release } = await openNodeGpu();
      const devices: GPUDevice[] = [];
      const found = await trained(await webGpuBackend(least(source, devices), options));
      const [{ features, limits }] = devices as [GPUDevice];
      expect([...features].filter((name) => name !== 'core-features-and-limits')).toEqual([]);
      expect(limits).toMatchObject({
        maxStorageBuffersPerShaderStage: 8,
        maxStorageBufferBindingSize: 2 ** 27,
        maxBufferSize: 2 ** 28,
        maxComputeWorkgroupStorageSize: 2 ** 14,
        maxComputeInvocationsPerWorkgroup: 256,
        maxComputeWorkgroupsPerDimension: 65_535,
        minStorageBufferOffsetAlignment: 256,
      });
      expect(found).toEqual(await trained(await webGpuBackend(source, options)));
      release();
    });
  },
);
