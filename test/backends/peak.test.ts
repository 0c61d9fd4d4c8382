import { describe, expect, it } from 'vitest';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { type Isa, loadNative } from '../../src/backends/cpu/native.ts';

const native = loadNative();
const pool = native.createPool(2);

describe('the measured peak', () => {
  for (const isa of native.features().isas) {
    it.each(['fp32', 'bf16'] as const)(`of ${isa} with %s operands is a rate`, async (precision) => {
      const peak = await cpuBackend({ isa, precision, threads: 2 }).measurePeak();
      expect(peak).toBeGreaterThan(0);
      expect(peak).toBeLessThan(Infinity);
    });

    it(`of ${isa} is sustained for as long as was asked`, async () => {
      const began = performance.now();
      const peak = await cpuBackend({ isa, threads: 1 }).measurePeak(0.05);
      expect(performance.now() - began).toBeGreaterThanOrEqual(50);
      expect(peak).toBeGreaterThan(0);
      expect(peak).toBeLessThan(Infinity);
    });
  }

  it('is refused where there is nothing to measure', () => {
    const measure =
      (isa: string, precision: string, milliseconds = 0) =>
      (): number =>
        native.measurePeak(pool, isa as Isa, precision as 'fp32', milliseconds);
    expect(measure('mmx', 'fp32')).toThrow('measurePeak: isa must be an instruction set of this machine');
    expect(measure('portable', 'fp8')).toThrow('measurePeak: precision must be fp32 or bf16, got fp8');
    expect(measure('portable', 'fp32', 1e9)).toThrow(
      'measurePeak: milliseconds must be a whole number from 0 to 60000, got 1000000000',
    );
  });

  it('is refused in the middle of a run', async () => {
    const length = 1 << 16;
    const program = native.compile(pool, 'portable', {
      buffers: [native.allocate(4 * length)],
      tensors: [{ buffer: 0, offset: 0, dtype: 'float32', shape: [length] }],
      nodes: [{ op: 'exp', inputs: [0], outputs: [0], attributes: {} }],
    });
    const run = native.run(program);
    expect(() => native.measurePeak(pool, 'portable', 'fp32', 0)).toThrow('in the middle of a run');
    await run;
    expect(native.measurePeak(pool, 'portable', 'fp32', 1)).toBeGreaterThan(0);
  });
});
