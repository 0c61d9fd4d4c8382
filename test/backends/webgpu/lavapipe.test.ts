// What SwiftShader does not show: another driver's arithmetic, and subgroups of another size.
import { describe, expect, it, vi } from 'vitest';
import { activations } from '../../../src/ops/activations.ts';
import { cast } from '../../../src/ops/index.ts';
import { trace } from '../../../src/program/index.ts';
import { testBackends, webGpuAsHardware, webGpuBySubgroups } from '../../support/backends.ts';
import { type Case, conformance } from '../../support/conformance.ts';
import { nearestFloat16, valuesAroundFloat16 } from '../../support/float16-values.ts';
import { testGpu } from '../../support/gpu.ts';

vi.mock('../../support/gpu.ts', () => import('../../support/lavapipe.ts'));

// Its compiler takes seconds for a shader of products, where the machine has nothing else to do.
vi.setConfig({ testTimeout: 240_000 });

const own = testBackends().filter(({ label }) => label === 'webgpu');
const shared = [webGpuAsHardware, webGpuBySubgroups];

describe(`lavapipe${testGpu.skip ? ` (skipped: ${testGpu.skip})` : ''}`, () => {
  it.skipIf(testGpu.skip !== undefined)('is the device, with subgroups of its own', () => {
    const { name, isSoftware, subgroupSizes } = testGpu.gpu!.facts;
    expect({ name, isSoftware }).toEqual({ name: expect.stringContaining('llvmpipe'), isSoftware: true });
    expect(subgroupSizes!.largest).toBeGreaterThan(4);
  });

  it.skipIf(testGpu.skip !== undefined)('stores float16 to the bit', async () => {
    const x = valuesAroundFloat16();
    const program = trace('stored', (graph) => ({
      y: cast(cast(graph.input('x', [x.length]), 'float16'), 'float32'),
    }));
    const executable = await own[0]!.create().compile(program, new Map());
    await executable.run({ x });
    expect((await executable.read(['y'])).y).toEqual(nearestFloat16(x));
  });

  const rows: readonly Case[] = [
    [3, 33],
    [2, 257],
  ].map((shape) => ({
    inputs: [{ shape, value: (u) => 3 * u }],
  }));
  conformance('softmax', rows, {}, shared);
  conformance('max', [{ inputs: [{ shape: [3, 130] }], attributes: { axes: [1], keepDims: 0 } }], {}, shared);
  for (const name of ['exp', 'log', 'tanh', 'sin', 'cos'] as const)
    conformance(
      name,
      [{ inputs: [{ shape: [999], value: (u) => (name === 'log' ? 2 + u : 30 * u) }] }],
      {},
      own,
    );
  const layer = (M: number, K: number): Case => ({
    inputs: [{ shape: [M, K] }, { shape: [66, K] }, { shape: [66] }],
    attributes: { activation: activations.none },
  });
  conformance('linear', [layer(2, 65)], {}, own);
  // Shaders of tiles take it seconds each.
  conformance('linear', [layer(70, 65)], {}, [{ ...webGpuAsHardware, halves: ['float16'] }]);
});
