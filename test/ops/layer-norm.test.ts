import { conformance } from '../support/conformance.ts';

const shapes = [
  [3, 4],
  [5, 31],
  [2, 3, 33],
  [7, 257],
];
const attributes = { epsilon: 1e-6 };

conformance(
  'layerNorm',
  shapes.map((shape) => ({
    inputs: [
      { shape, value: (u: number) => 3 * u + 1 },
      { shape: [shape.at(-1)!] },
      { shape: [shape.at(-1)!] },
    ],
    attributes,
  })),
);

conformance(
  'rmsNorm',
  shapes.map((shape) => ({ inputs: [{ shape }, { shape: [shape.at(-1)!] }], attributes })),
);
