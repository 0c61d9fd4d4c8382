import { describe, expect, it } from 'vitest';
import { attention, sum } from '../../src/ops/index.ts';
import { grad, trace } from '../../src/program/index.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import { float32Backends } from '../support/backends.ts';
import { conformance } from '../support/conformance.ts';
import { randomValues } from '../support/random.ts';

/** [batch, tokens, heads, head width] */
const sizes = [
  [1, 1, 1, 1],
  [2, 2, 3, 8],
  [3, 31, 2, 20],
  [3, 32, 1, 5],
  [1, 33, 1, 128],
  [2, 49, 4, 32],
  [1, 65, 2, 48],
  [1, 130, 1, 72],
  [1, 255, 1, 17],
  [1, 257, 2, 64],
  // One wide head, as autoencoders have.
  [1, 34, 1, 200],
  [1, 20, 1, 512],
] as const;

conformance(
  'attention',
  sizes.map(([B, N, H, d]) => ({
    inputs: [{ shape: [B, N, 3 * H * d], value: (u: number) => 2 * u }],
    attributes: { heads: H },
  })),
  { differentiable: [0] },
);

conformance(
  'attentionGrad',
  sizes.map(([B, N, H, d]) => ({
    inputs: [
      { shape: [B, N, 3 * H * d] },
      { shape: [B, N, H * d] },
      // A log-sum-exp of N scores of modest size, none of which is larger.
      { shape: [B, H, N], value: (u: number) => Math.log(N) + 2 + 0.1 * u },
      { shape: [B, N, H * d] },
    ],
    attributes: { heads: H },
  })),
);

/** Every score is some +-200: neither the exponentials nor their sum fit float32 unless a maximum is taken out. */
const [N, d] = [40, 16];
conformance(
  'attention',
  [
    {
      inputs: [
        {
          shape: [3, N, 3 * d],
          value: (u: number, i: number) => {
            const [image, part] = [Math.floor(i / (N * 3 * d)), Math.floor(i / d) % 3];
            if (part === 2) return u;
            return part === 0 ? 7 + u / 4 : [7, -7, 0][image]! + u / 4;
          },
        },
      ],
      attributes: { heads: 1 },
    },
  ],
  { differentiable: [0], fp32: 5e-5 },
);

describe.each(float32Backends())('attention to scores of 1e10 on $label', ({ create, skip }) => {
  it.skipIf(skip).each(['fp32', 'bf16'] as const)(
    'is finite in %s, as is its gradient',
    async (precision) => {
      const shape = [2, 33, 3 * 32];
      const program = trace('attention', (graph) => {
        const qkv = graph.input('qkv', shape);
        const o = attention(qkv, 2);
        return { o, dqkv: grad(sum(o), [qkv])[0]! };
      });
      const executable = await create(precision).compile(program, new Map());
      const values = randomValues(sizeOf(shape), 1);
      await executable.run({ qkv: Float32Array.from(values, (u, i) => ((i / 32) % 3 < 2 ? 1e5 * u : u)) });
      const o = (await executable.read(['o'])).o;
      expect(o.every((x) => Math.abs(x) <= 1)).toBe(true);
      expect(o.some((x) => x !== 0)).toBe(true);
      expect((await executable.read(['dqkv'])).dqkv.every(Number.isFinite)).toBe(true);
    },
  );
});

it('names what does not fit', () => {
  const build = (heads: number) => (): unknown =>
    trace('wrong', (graph) => ({ y: attention(graph.input('qkv', [2, 16, 3 * 384]), heads) }));
  expect(build(5)).toThrow('attention: heads must be a positive integer that divides D = 384, got 5');
});
