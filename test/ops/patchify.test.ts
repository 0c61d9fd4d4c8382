import { expect, it } from 'vitest';
import { patchify } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

/** [batch, channels, height, width, patch] */
const sizes = [
  [1, 1, 1, 1, 1],
  [2, 1, 28, 28, 4],
  [2, 3, 16, 8, 2],
  [1, 4, 6, 9, 3],
] as const;

conformance(
  'patchify',
  sizes.map(([B, C, H, W, patch]) => ({ inputs: [{ shape: [B, C, H, W] }], attributes: { patch } })),
);

conformance(
  'unpatchify',
  sizes.map(([B, C, H, W, patch]) => ({
    inputs: [{ shape: [B, (H * W) / patch ** 2, patch * patch * C] }],
    attributes: { patch, channels: C, height: H, width: W },
  })),
);

it('says what to do about a size that the patch does not divide', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({ y: patchify(graph.input('x', [2, 3, 28, 30]), 4) }));
  expect(build).toThrow('must be multiples of the patch size 4, got 28 x 30: resize or pad the images');
});
