// Attention through memory of a workgroup, as on hardware: tiles that are full and not, heads of any width, batches without keys.
import { describe, expect, it } from 'vitest';
import { type Argument, conformance, relativeError } from '../../support/conformance.ts';
import { testBackends, webGpuAsHardware } from '../../support/backends.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { attention, mul, sum } from '../../../src/ops/index.ts';
import { grad, trace } from '../../../src/program/index.ts';
import { randomValues } from '../../support/random.ts';

const hardware = [webGpuAsHardware];
const twice = (shape: readonly number[]): Argument => ({ shape, value: (u) => 2 * u });

// Whole vectors of heads, in tiles one of which is nearly empty. Each shape costs shaders that SwiftShader compiles for seconds.
const [tokens, width] = [65, 20];
const attributes = { heads: 2 };
conformance(
  'attention',
  [{ inputs: [twice([2, tokens, 6 * width])], attributes }],
  { differentiable: [0] },
  hardware,
);
conformance(
  'attentionGrad',
  [
    {
      inputs: [
        { shape: [2, tokens, 6 * width] },
        { shape: [2, tokens, 2 * width] },
        { shape: [2, 2, tokens], value: (u) => Math.log(tokens) + 2 + 0.1 * u },
        { shape: [2, tokens, 2 * width] },
      ],
      attributes,
    },
  ],
  {},
  hardware,
);

/** Keys of each batch: none, a part of a tile, whole tiles, all. Heads of an odd width, which are made in two parts. */
const lengths = [0, 7, 64, 70];
const [N, M, d] = [3, 70, 135];
const [B, D] = [lengths.length, 2 * d];
const crossed: readonly Argument[] = [
  twice([B, N, D]),
  twice([B, M, 2 * D]),
  { shape: [B], dtype: 'int32', value: (_, i) => lengths[i]! },
];
conformance('crossAttention', [{ inputs: crossed, attributes }], { differentiable: [0] }, hardware);
conformance(
  'crossAttentionGrad',
  [
    {
      inputs: [
        ...crossed,
        { shape: [B, N, D] },
        {
          shape: [B, 2, N],
          value: (u, i) => Math.log(Math.max(1, lengths[Math.floor(i / (2 * N))]!)) + 4 + 0.1 * u,
        },
        { shape: [B, N, D] },
      ],
      attributes,
    },
  ],
  {},
  hardware,
);

const webgpu = testBackends().filter(({ label }) => label === 'webgpu');
describe.each([...webgpu, ...hardware])('over 1,601 keys on $label', ({ create, skip }) => {
  it.skipIf(skip !== undefined)('is exact', async () => {
    const shape = [1, 1601, 3 * 8];
    const program = trace('long', (graph) => {
      const qkv = graph.input('qkv', shape);
      const o = attention(qkv, 1);
      return { o, dqkv: grad(sum(mul(o, graph.input('weights', [1, 1601, 8]))), [qkv])[0]! };
    });
    const inputs = {
      qkv: Float32Array.from(randomValues(1601 * 24, 1), (u) => 2 * u),
      weights: Float32Array.from(randomValues(1601 * 8, 2)),
    };
    const [wanted, got] = await Promise.all(
      [referenceBackend({ float: 'float64' }), create()].map(async (backend) => {
        const executable = await backend.compile(program, new Map());
        await executable.run(inputs);
        return executable.read(['o', 'dqkv']);
      }),
    );
    expect(relativeError(got!.o, wanted!.o)).toBeLessThan(2e-6);
    expect(relativeError(got!.dqkv, wanted!.dqkv)).toBeLessThan(8e-6);
  });
});

it.skipIf(webGpuAsHardware.skip !== undefined)(
  'is finite for scores of 1e10, as is its gradient',
  async () => {
    const shape = [2, tokens, 6 * width];
    const program = trace('large', (graph) => {
      const qkv = graph.input('qkv', shape);
      const o = attention(qkv, 2);
      return { o, dqkv: grad(sum(o), [qkv])[0]! };
    });
    const executable = await webGpuAsHardware.create().compile(program, new Map());
    const isValue = (i: number): boolean => i % (6 * width) >= 4 * width;
    const uniform = randomValues(2 * tokens * 6 * width, 1);
    await executable.run({ qkv: Float32Array.from(uniform, (u, i) => (isValue(i) ? u : 1e5 * u)) });
    const { o, dqkv } = await executable.read(['o', 'dqkv']);
    expect(o.every((x) => Math.abs(x) <= 1) && o.some((x) => x !== 0)).toBe(true);
    expect(dqkv.every(Number.isFinite)).toBe(true);
  },
);
