import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type BackendChoice, chooseBackend } from '../../src/backends/choose.ts';
import * as cpu from '../../src/backends/cpu/index.ts';
import * as gpus from '../../src/backends/node-gpu.ts';
import type { DeviceFacts, WebGpuBackend } from '../../src/backends/webgpu/contract.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';

vi.mock('../../src/backends/cpu/index.ts', { spy: true });
vi.mock('../../src/backends/node-gpu.ts', { spy: true });

/** Pretends that the native kernels were built for these instruction sets, on a machine that has them. */
function pretend(...isas: cpu.Isa[]): void {
  vi.mocked(cpu.cpuIsas).mockReturnValue(isas);
  vi.mocked(cpu.cpuBackend).mockImplementation(
    ({ isa = isas[0]!, precision = 'fp32', threads = 4 } = {}) =>
      ({ name: 'cpu', isa, precision, threads }) as cpu.CpuBackend,
  );
}

function pretendUnbuilt(): void {
  const fail = (): never => {
    throw new RectiflowError('backend', 'cpu: the native kernels could not be loaded');
  };
  vi.mocked(cpu.cpuIsas).mockImplementation(fail);
  vi.mocked(cpu.cpuBackend).mockImplementation(fail);
}

/** Pretends that there is a GPU, or a program that plays one; or why there is none. */
function pretendGpu(found: 'GPU' | 'program' | string): void {
  const facts: DeviceFacts = {
    name: 'Some GPU',
    identity: 'some GPU',
    isSoftware: found === 'program',
    limits: { buffer: 2 ** 31, binding: 2 ** 30, storageBuffers: 10 },
    features: [],
  };
  const isThere = found === 'GPU' || found === 'program';
  vi.mocked(gpus.lookForGpu).mockResolvedValue(isThere ? facts : found);
  vi.mocked(gpus.nodeWebGpuBackend).mockImplementation(async ({ precision = 'fp32' } = {}) => {
    if (!isThere) throw new RectiflowError('backend', `webgpu: ${found}`);
    const automatic = facts.isSoftware ? 'fp32' : 'bf16';
    return {
      name: 'webgpu',
      facts,
      precision: precision === 'auto' ? automatic : precision,
    } as WebGpuBackend;
  });
}

beforeEach(() => pretendGpu('there is no GPU'));
afterEach(() => {
  vi.resetAllMocks();
});

describe('the backend', () => {
  it('is the CPU with bf16 where that has bfloat16 instructions', async () => {
    pretend('avx512-bf16', 'avx512');
    const { backend, notices } = await chooseBackend();
    expect(backend).toMatchObject({ name: 'cpu', isa: 'avx512-bf16', precision: 'bf16' });
    expect(notices).toEqual([]);
    expect((await chooseBackend({ isa: 'avx512' })).backend.precision).toBe('fp32');
    expect((await chooseBackend({ precision: 'fp32' })).backend.precision).toBe('fp32');
  });

  it('is the CPU with fp32 elsewhere, and tells what bf16 costs there', async () => {
    pretend('avx2', 'portable');
    expect((await chooseBackend({ threads: 3 })).backend).toMatchObject({ precision: 'fp32', threads: 3 });
    const { backend, notices } = await chooseBackend({ precision: 'bf16' });
    expect(backend.precision).toBe('bf16');
    expect(notices).toEqual([expect.stringMatching(/has no bfloat16 instructions: .* not faster than fp32/)]);
  });

  it('has fp16 only where that is asked for, and tells that it is emulated', async () => {
    pretend('avx512-bf16', 'avx512');
    const { backend, notices } = await chooseBackend({ precision: 'fp16' });
    expect(backend.precision).toBe('fp16');
    expect(notices).toEqual([expect.stringMatching(/^fp16 is emulated .* than fp32\.$/)]);
  });

  it('is the reference where nothing is built, with a word on how to build', async () => {
    pretendUnbuilt();
    const { backend, notices } = await chooseBackend();
    expect(backend.name).toBe('reference');
    expect(notices).toEqual([expect.stringMatching(/not built.*npm rebuild rectiflow.*C\+\+ compiler/)]);
    expect((await chooseBackend({ name: 'reference' })).notices).toEqual([]);
  });

  it.each<BackendChoice>([{ name: 'cpu' }, { isa: 'avx2' }])(
    'is not silently another one than %o asks for',
    async (choice) => {
      pretendUnbuilt();
      await expect(chooseBackend(choice)).rejects.toThrow(/could not be loaded/);
    },
  );

  it('is one that there is', async () => {
    await expect(chooseBackend({ name: 'cpus' as 'cpu' })).rejects.toThrow(
      /^backend: name must be one of auto, cpu, webgpu, reference, got "cpus"\. Did you mean "cpu"\?$/,
    );
  });
});

describe('a GPU', () => {
  beforeEach(() => pretend('avx512-bf16', 'avx512'));

  it('is taken with bf16 where there is one, and told', async () => {
    pretendGpu('GPU');
    const { backend, notices } = await chooseBackend();
    expect(backend).toMatchObject({ name: 'webgpu', precision: 'bf16' });
    expect(notices).toEqual([expect.stringMatching(/^backend\.name is auto, and Some GPU was found.* cpu/)]);
    expect((await chooseBackend({ precision: 'fp32' })).backend.precision).toBe('fp32');
    const asked = await chooseBackend({ name: 'webgpu' });
    expect(asked).toMatchObject({ backend: { name: 'webgpu', precision: 'bf16' }, notices: [] });
  });

  it.each<[BackendChoice, string]>([
    [{ name: 'cpu' }, 'cpu'],
    [{ name: 'reference' }, 'reference'],
    [{ threads: 2 }, 'cpu'],
    [{ isa: 'avx512' }, 'cpu'],
    [{ isRank: true }, 'cpu'],
  ])('is left alone by %o', async (choice, name) => {
    pretendGpu('GPU');
    expect(await chooseBackend(choice)).toMatchObject({ backend: { name }, notices: [] });
    expect(gpus.lookForGpu).not.toHaveBeenCalled();
  });

  it('that is a program is taken only where it is asked for, with fp32, and told', async () => {
    pretendGpu('program');
    expect(await chooseBackend()).toMatchObject({ backend: { name: 'cpu' }, notices: [] });
    const { backend, notices } = await chooseBackend({ name: 'webgpu' });
    expect(backend).toMatchObject({ name: 'webgpu', precision: 'fp32' });
    expect(notices).toEqual([expect.stringMatching(/^Some GPU is a program, not a GPU: slower than .*cpu/)]);
  });

  it('that is not there is an error only where it is asked for', async () => {
    expect(await chooseBackend()).toMatchObject({ backend: { name: 'cpu' }, notices: [] });
    await expect(chooseBackend({ name: 'webgpu' })).rejects.toThrow('webgpu: there is no GPU');
  });

  it('that cannot be opened is told, and left', async () => {
    pretendGpu('GPU');
    vi.mocked(gpus.nodeWebGpuBackend).mockRejectedValue(new RectiflowError('backend', 'it is broken'));
    const { backend, notices } = await chooseBackend();
    expect(backend.name).toBe('cpu');
    expect(notices).toEqual(['Some GPU is there, and cannot be used: it is broken']);
  });

  it('stores float16, and has nothing to tell of it', async () => {
    pretendGpu('GPU');
    expect((await chooseBackend({ name: 'webgpu', precision: 'fp16' })).notices).toEqual([]);
  });

  it.each([
    [{}, 'auto'],
    [{ tuning: 'off' }, 'off'],
    // Ranks compute alike.
    [{ isRank: true }, 'off'],
  ] as const)('is tuned at a start as is asked for by %o: %s', async (choice, tuning) => {
    pretendGpu('GPU');
    const onNotice = (): void => {};
    await chooseBackend({ name: 'webgpu', onNotice, ...choice });
    expect(gpus.nodeWebGpuBackend).toHaveBeenCalledWith(expect.objectContaining({ tuning, onNotice }));
  });

  it.each([
    [{}, false],
    [{ subgroupMatrices: true }, true],
  ] as const)(
    'multiplies by subgroup matrices only where that is asked for, by %o',
    async (choice, subgroupMatrices) => {
      pretendGpu('GPU');
      await chooseBackend({ name: 'webgpu', ...choice });
      expect(gpus.nodeWebGpuBackend).toHaveBeenCalledWith(expect.objectContaining({ subgroupMatrices }));
    },
  );

  it('is shared by the ranks of a machine that ask for it, which is told', async () => {
    pretendGpu('GPU');
    const { backend, notices } = await chooseBackend({ name: 'webgpu', isRank: true, processes: 2 });
    expect(backend.name).toBe('webgpu');
    expect(notices).toEqual([expect.stringMatching(/^2 ranks share one GPU/)]);
  });

  it.each<[BackendChoice, RegExp]>([
    [{ threads: 4 }, /^backend: threads must be left out beside webgpu, .* got 4/],
    [{ isa: 'avx2' }, /^backend: isa must be left out beside webgpu, .* got avx2/],
  ])('is not asked for together with %o', async (choice, message) => {
    pretendGpu('GPU');
    await expect(chooseBackend({ name: 'webgpu', ...choice })).rejects.toThrow(message);
  });
});
