// Rows that invocations share, as on hardware, through memory and through subgroups; and rows in several dispatches, with any tuning.
import { type Argument, type Case, conformance } from '../../support/conformance.ts';
import { testBackends, webGpuAsHardware, webGpuBySubgroups } from '../../support/backends.ts';
import { groupNormCases, groupNormGradCases } from '../../support/group-norm-cases.ts';

const shared = [webGpuAsHardware, webGpuBySubgroups];
const all = [...testBackends().filter(({ label }) => label === 'webgpu'), ...shared];
const shifted = (shape: readonly number[]): Argument => ({ shape, value: (u) => 3 * u + 1 });

// Below and above what is shared, odd and even, and of several chains of terms.
const tokens = [
  [2, 3, 6],
  [3, 5, 32],
  [2, 3, 65],
  [1, 33, 130],
] as const;
const norm: readonly Case[] = tokens.map(([B, N, D]) => ({
  inputs: [shifted([B, N, D]), { shape: [B, D] }, { shape: [B, D] }],
  attributes: { epsilon: 1e-6 },
}));
conformance('layerNormModulate', norm, { differentiable: [0] }, shared);
conformance(
  'layerNormModulateGrad',
  tokens.map(([B, N, D]) => ({
    inputs: [
      { shape: [B, N, D] },
      { shape: [B, D] },
      { shape: [B, N], value: (u) => 1.7 + 0.1 * u },
      { shape: [B, N, D] },
      { shape: [B, N, D] },
    ],
  })),
  {},
  shared,
);

const shapes = [[7], [31], [4, 64], [2, 2, 257]] as const;
conformance(
  'softmax',
  shapes.map((shape) => ({ inputs: [{ shape, value: (u) => 3 * u }] })),
  {},
  shared,
);
const attributes = { epsilon: 1e-6 };
const learned = (shape: readonly number[]): Argument => ({ shape: shape.slice(-1) });
conformance(
  'layerNorm',
  shapes.map((shape) => ({ inputs: [shifted(shape), learned(shape), learned(shape)], attributes })),
  {},
  shared,
);
conformance(
  'rmsNorm',
  shapes.map((shape) => ({ inputs: [{ shape }, learned(shape)], attributes })),
  {},
  shared,
);

const images = [
  [[2, 4, 5, 3], 2],
  [[1, 8, 9, 9], 2],
  // Long rows, few of them: of even and of odd extents.
  [[1, 4, 50, 50], 2],
  [[1, 3, 67, 67], 1],
] as const;
conformance('groupNorm', groupNormCases(images), { differentiable: [0], fp32: 4e-6 }, all);
conformance('groupNormGrad', groupNormGradCases(images), { fp32: 4e-6 }, all);
conformance(
  'softmax',
  [[2, 4500]].map((shape) => ({ inputs: [{ shape, value: (u) => 30 * u }] })),
  {},
  all,
);

// Totals alone: of terms that are neighbours or not, in one dispatch and in several.
const reduced: readonly Case[] = [
  { inputs: [{ shape: [3, 130] }], attributes: { axes: [1], keepDims: 0 } },
  { inputs: [{ shape: [3, 4200] }], attributes: { axes: [1], keepDims: 0 } },
  { inputs: [{ shape: [90, 1100] }], attributes: { axes: [1], keepDims: 0 } },
  { inputs: [{ shape: [1100, 6] }], attributes: { axes: [0], keepDims: 0 } },
  { inputs: [{ shape: [40, 70] }], attributes: { axes: [0], keepDims: 0 } },
  { inputs: [{ shape: [1500, 40] }], attributes: { axes: [0], keepDims: 0 } },
  { inputs: [{ shape: [2, 3, 600] }], attributes: { axes: [0, 2], keepDims: 1 } },
];
conformance('sum', reduced, {}, all);
conformance('max', reduced, {}, all);
conformance(
  'meanSquaredError',
  [[31], [3, 2000]].map((shape) => ({ inputs: [{ shape }, { shape }] })),
  {},
  shared,
);
conformance('globalNorm', [{ inputs: [{ shape: [7000] }, { shape: [3, 3] }] }], {}, shared);
conformance('isFinite', [{ inputs: [{ shape: [7000] }, { shape: [3, 3] }] }], {}, shared);
