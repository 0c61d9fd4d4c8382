// Which shaders use subgroups: of devices that have them, where none is larger than what is shared.
import { describe, expect, it, vi } from 'vitest';
import { openNodeGpu } from '../../../src/backends/node-gpu.ts';
import { openGpu } from '../../../src/backends/webgpu/adapter.ts';
import type { DeviceFacts } from '../../../src/backends/webgpu/contract.ts';
import { Gpu } from '../../../src/backends/webgpu/device.ts';
import { type FixedTuning, backendOn } from '../../../src/backends/webgpu/index.ts';
import { softmax } from '../../../src/ops/index.ts';
import { trace } from '../../../src/program/index.ts';
import { testGpu } from '../../support/gpu.ts';

const [rows, width] = [3, 130];
const program = trace('shares', (graph) => ({ y: softmax(graph.input('x', [rows, width])) }));
const x = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i));

/** The shader that a tuning compiles on a device of such facts, and what it computes. */
async function made(
  tuning: FixedTuning | 'off' | undefined,
  change: (facts: DeviceFacts) => DeviceFacts = (facts) => facts,
): Promise<{ readonly code: string; readonly y: number[] }> {
  const { device, facts } = await openGpu((await openNodeGpu()).source);
  const gpu = new Gpu(device, change(facts));
  const compiled = vi.spyOn(device, 'createShaderModule');
  try {
    const backend = backendOn(gpu, tuning ? { tuning } : {});
    const executable = await backend.compile(program, new Map());
    await executable.run({ x });
    const { y } = await executable.read(['y']);
    await executable.run({ x });
    expect((await executable.read(['y'])).y).toEqual(y);
    expect(compiled).toHaveBeenCalledTimes(1);
    return { code: compiled.mock.calls[0]![0].code, y: Array.from(y) };
  } finally {
    await gpu.close();
  }
}

const hardware = { lanes: 64, products: 'tiled' } as const;
const asHardware = (facts: DeviceFacts): DeviceFacts => ({ ...facts, isSoftware: false });
const lacking = ({ name, identity, isSoftware, limits, features }: DeviceFacts): DeviceFacts => ({
  name,
  identity,
  isSoftware,
  limits,
  features,
});
const exchange = 'subgroupShuffleXor';
const barriers = ({ code }: { readonly code: string }): number => code.split('workgroupBarrier').length - 1;

describe.skipIf(testGpu.skip)(`subgroups${testGpu.skip ? ` (skipped: ${testGpu.skip})` : ''}`, () => {
  it.each([64, 8, 256])(
    'are used where the tuning asks for them, with a barrier for each pass, to the same numbers, by %i lanes',
    async (lanes) => {
      const [memory, subgroups] = [
        await made({ ...hardware, lanes }),
        await made({ ...hardware, lanes, subgroups: true }),
      ];
      expect(memory.code).not.toContain('subgroup');
      expect(subgroups.code).toContain(exchange);
      expect(barriers(subgroups)).toBe(2);
      for (const [i, value] of subgroups.y.entries()) expect(value).toBeCloseTo(memory.y[i]!, 6);
    },
  );

  it('are used by hardware that has them without being asked for, and not by software', async () => {
    expect((await made('off')).code).not.toContain('subgroup');
    expect((await made('off', asHardware)).code).toContain(exchange);
    expect((await made('off', (facts) => asHardware(lacking(facts)))).code).not.toContain('subgroup');
  });

  it.each([
    [{ smallest: 4, largest: 128 }, 64],
    [{ smallest: 4, largest: 16 }, 8],
  ])('of %o are left where %i invocations share a row', async (subgroupSizes, lanes) => {
    const { code } = await made({ ...hardware, lanes, subgroups: true }, (facts) => ({
      ...facts,
      subgroupSizes,
    }));
    expect(code).toContain('workgroupBarrier');
    expect(code).not.toContain('subgroup');
  });

  it('that a device lacks are an error where they are asked for', async () => {
    await expect(made({ ...hardware, subgroups: true }, lacking)).rejects.toThrow(
      /^webgpu: tuning\.subgroups is true, and .* has no subgroups\. Leave it out$/,
    );
  });
});
