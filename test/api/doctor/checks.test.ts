import { describe, expect, it } from 'vitest';
import type { Check } from '../../../src/api/doctor/check.ts';
import { checkGpu, describePeak } from '../../../src/api/doctor/gpu.ts';
import {
  checkDisk,
  checkInstructions,
  checkKernels,
  checkMemory,
  checkNode,
  checkThreads,
  freeDisk,
} from '../../../src/api/doctor/machine.ts';
import type { DeviceFacts } from '../../../src/backends/webgpu/contract.ts';
import { checkAverage, checkLearningRate } from '../../../src/api/doctor/settings.ts';
import { type ConfigInput, resolveConfig } from '../../../src/index.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { tinyStripes } from '../../support/tiny-run.ts';

const MiB = 2 ** 20;
const resolved = (changes: ConfigInput): ReturnType<typeof resolveConfig> =>
  resolveConfig({ ...tinyStripes, ...changes });
const rate = (learningRate: number, warmupSteps: number): Check =>
  checkLearningRate(resolved({ train: { steps: 1000 }, optimizer: { learningRate, warmupSteps } }));
const average = (ramp: boolean): Check =>
  checkAverage(resolved({ train: { steps: 1000 }, ema: { decay: 0.9999, ramp } }));

const gpu = (isSoftware: boolean, ...features: string[]): DeviceFacts => ({
  name: 'Some GPU',
  identity: 'some GPU',
  isSoftware,
  limits: { buffer: 2048 * MiB, binding: 1024 * MiB, storageBuffers: 10 },
  features,
});

describe('a check before training', () => {
  const all = ['avx512-bf16', 'avx512', 'avx2', 'portable'] as const;
  it.each<[Check, Check['status'], RegExp]>([
    [checkNode('v22.1.0'), 'ok', /22/],
    [checkNode('v18.20.1'), 'fail', /too old: install version 20/],
    [checkKernels('auto', undefined), 'ok', /are built/],
    [checkKernels('auto', 'could not be loaded'), 'fail', /could not be loaded/],
    [checkKernels('reference', undefined), 'warn', /hundreds of times slower/],
    [checkInstructions('avx512-bf16', all, 'bf16'), 'ok', /bf16/],
    [checkInstructions('avx2', all, 'fp32'), 'warn', /this machine has avx512-bf16/],
    [checkInstructions('portable', ['portable'], 'fp32'), 'warn', /no AVX2/],
    [checkInstructions('avx2', ['avx2'], 'bf16'), 'warn', /emulated with avx2/],
    [checkGpu('no package', false), 'ok', /^none is used\. no package/],
    [checkGpu('no package', true), 'fail', /^no package/],
    [
      checkGpu(gpu(false, 'subgroups', 'shader-f16'), false),
      'ok',
      /^Some GPU: buffers to 2,048 MiB, 1,024 MiB .* 10 buffers .*; has shader-f16, subgroups; lacks timestamp-query$/,
    ],
    [describePeak(1.23456e13), 'ok', /^shaders reach 12300 GFLOP\/s in float32, measured/],
    [checkGpu(gpu(true), false), 'ok', /a program, not a GPU, and is not used$/],
    [checkGpu(gpu(true), true), 'warn', /a program, not a GPU: slower than cpu/],
    [checkThreads(4, 4), 'ok', /4 of 4/],
    [checkThreads(8, 4), 'warn', /only wait for each other/],
    [checkThreads(1, 4), 'warn', /use them all/],
    [checkMemory(100 * MiB, 500 * MiB), 'ok', /100 MiB, 500 MiB/],
    [checkMemory(450 * MiB, 500 * MiB), 'warn', /tight/],
    [checkMemory(600 * MiB, 500 * MiB), 'fail', /set train\.microBatch to auto/],
    [checkDisk(100 * MiB, 500 * MiB, 3), 'ok', /100 MiB, 500 MiB/],
    [checkDisk(100 * MiB, 300 * MiB, 3), 'warn', /keepCheckpoints of 3 will not fit/],
    [checkDisk(100 * MiB, 199 * MiB, 3), 'fail', /room for two/],
    [rate(1e-4, 100), 'ok', /100 of 1,000/],
    [rate(1e-9, 100), 'fail', /raise optimizer\.learningRate/],
    [rate(10, 100), 'warn', /seldom train/],
    [rate(1e-3, 0), 'warn', /without a warm-up/],
    [rate(1e-4, 900), 'warn', /900 of 1,000 steps are warm-up/],
    [average(true), 'ok', /0\.9999/],
    [average(false), 'warn', /90 % of the last average are still the weights/],
  ])('$name: $text', (check, status, text) => {
    expect(check).toMatchObject({ status, text: expect.stringMatching(text) });
  });

  it('finds how much is free, also for a folder that is yet to be made', async () => {
    const folder = await temporaryFolder();
    const free = await freeDisk(`${folder}/a/b`);
    expect(free).toBeGreaterThan(0);
    expect(Math.abs(free / (await freeDisk(folder)) - 1)).toBeLessThan(0.1);
  });
});
