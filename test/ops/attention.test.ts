import { expect, it } from 'vitest';
import { attention } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

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
      // A log-sum-exp of N scores of modest size.
      { shape: [B, H, N], value: (u: number) => Math.log(N) + 0.1 * u },
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

it('names what does not fit', () => {
  const build = (heads: number) => (): unknown =>
    trace('wrong', (graph) => ({ y: attention(graph.input('qkv', [2, 16, 3 * 384]), heads) }));
  expect(build(5)).toThrow('attention: heads must be a positive integer that divides D = 384, got 5');
});
