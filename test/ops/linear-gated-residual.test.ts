import { conformance } from '../support/conformance.ts';

/** [images, tokens, inputs, outputs]: images that end inside a block of rows or a register tile, and sizes around those. */
const sizes = [
  [1, 1, 1, 1],
  [3, 7, 33, 31],
  [5, 33, 17, 65],
  [2, 49, 64, 128],
  [3, 65, 31, 33],
  [1, 257, 255, 49],
  [70, 1, 32, 32],
  [33, 4, 40, 130],
] as const;

conformance(
  'linearGatedResidual',
  sizes.map(([B, N, I, O]) => ({
    inputs: [
      { shape: [B, N, I] },
      { shape: [O, I] },
      { shape: [O] },
      { shape: [B, N, O] },
      { shape: [B, O] },
    ],
  })),
  { fp32: 4e-6 },
);
