import { conformance } from '../support/conformance.ts';

conformance('globalNorm', [
  { inputs: [{ shape: [1] }] },
  { inputs: [{ shape: [31] }, { shape: [4, 33] }, { shape: [] }] },
  { inputs: [{ shape: [300, 257], value: (u) => 100 * u }, { shape: [7] }] },
]);
