import { conformance } from '../support/conformance.ts';

conformance(
  'meanSquaredError',
  [[1], [31], [4, 33], [3, 67, 257]].map((shape) => ({ inputs: [{ shape }, { shape }] })),
);
