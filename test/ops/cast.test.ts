import { conformance } from '../support/conformance.ts';

const sizes = [[1], [31], [4, 33], [3, 67, 257]];

conformance('cast', [
  ...sizes.map((shape) => ({ inputs: [{ shape }], attributes: { to: 0 } })),
  ...sizes.map((shape) => ({
    inputs: [{ shape, dtype: 'int32' as const, value: (u: number) => 50 * u }],
    attributes: { to: 0 },
  })),
  ...sizes.map((shape) => ({ inputs: [{ shape, value: (u: number) => 50 * u }], attributes: { to: 2 } })),
]);
