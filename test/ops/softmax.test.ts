import { conformance } from '../support/conformance.ts';

conformance(
  'softmax',
  [[1], [31], [5, 33], [3, 4, 257]].map((shape) => ({ inputs: [{ shape, value: (u: number) => 30 * u }] })),
);
