import { afterEach, describe, expect, it, vi } from 'vitest';
import { type BackendChoice, chooseBackend } from '../../src/backends/choose.ts';
import * as cpu from '../../src/backends/cpu/index.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';

vi.mock('../../src/backends/cpu/index.ts', { spy: true });

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
      /^backend: name must be one of auto, cpu, reference, got "cpus"\. Did you mean "cpu"\?$/,
    );
  });
});
