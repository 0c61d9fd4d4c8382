// A GPU that has no more than WebGPU guarantees everywhere: no feature, and the lowest limits. It trains as any other does.
import { describe, expect, it } from 'vitest';
import { openNodeGpu } from '../../../src/backends/node-gpu.ts';
import type { Backend } from '../../../src/backends/backend.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import type { GpuSource, WebGpuOptions } from '../../../src/backends/webgpu/contract.ts';
import { webGpuBackend } from '../../../src/backends/webgpu/open.ts';
import { train } from '../../../src/index.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { testGpu } from '../../support/gpu.ts';
import { stripes, tinyStripes } from '../../support/tiny-run.ts';

const { skip } = testGpu;
const steps = 3;

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

async function lossesOf(backend: Backend): Promise<number[]> {
  const config = {
    ...tinyStripes,
    train: { ...tinyStripes.train, steps, logEvery: 1, precision: backend.precision },
    sample: { steps: 1, labels: [0], perClass: 1 },
  };
  const losses: number[] = [];
  const onStep = ({ loss }: { readonly loss: number }): void => void losses.push(loss);
  await train(config, { source: stripes(), runs: await temporaryFolder(), backend, onStep });
  await backend.dispose();
  return losses;
}

describe.skipIf(skip)(
  `a GPU with what is guaranteed${skip ? ` (skipped: ${skip})` : ''}`,
  { timeout: 240_000 },
  () => {
    it.each<[string, number, WebGpuOptions]>([
      ['as a program, in fp32', 1e-5, {}],
      ['as hardware, in fp32', 1e-5, { tuning: { lanes: 64, products: 'tiled' } }],
      ['as hardware, in bf16', 1e-2, { tuning: { lanes: 64, products: 'tiled' }, precision: 'bf16' }],
    ])('trains and samples %s, with the losses of the reference within %f', async (_, tolerance, options) => {
      const { source, release } = await openNodeGpu();
      const devices: GPUDevice[] = [];
      const backend = await webGpuBackend(least(source, devices), options);
      const wanted = await lossesOf(referenceBackend({ precision: backend.precision }));
      const found = await lossesOf(backend);
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
      expect(found).toHaveLength(steps);
      for (const [i, loss] of found.entries()) expect(Math.abs(loss - wanted[i]!)).toBeLessThan(tolerance);
      release();
    });
  },
);
