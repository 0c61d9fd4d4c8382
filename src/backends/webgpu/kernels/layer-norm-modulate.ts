// Layer norm with adaLN's scale and shift, in one pass over memory, and its gradient in two.
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Dispatch, Kernel, Tuning } from '../dispatch.ts';
import { reductions } from '../reduction.ts';
import { rows } from '../rows/index.ts';
import { storedAs } from '../wgsl/halves.ts';
import { centredPasses } from './layer-norm.ts';

/** Where what meets a row of [B, N, D] begins in a tensor [B, D], and the place of what meets an element. */
const start = 'let image = row / u.tokens * u.width;';
const ofImage = 'image + col';

/** h = (x - mean) rstd, y = h (1 + scale) + shift. */
const layerNormModulate: Kernel = ({ inputs, outputs, attributes }, { isMade, tuning }) => {
  const [x, shift, scale] = inputs as [Tensor, Tensor, Tensor];
  const [y, normalized, rstd] = outputs as [Tensor, Tensor, Tensor];
  const [B, N, D] = x.shape as [number, number, number];
  const { epsilon } = attributes as { epsilon: number };
  const exact = '(x(at) - mean) * rstd';
  return rows(
    {
      rows: B * N,
      width: D,
      reads: [
        { name: 'x', operand: x },
        { name: 'shift', operand: shift },
        { name: 'scale', operand: scale },
      ],
      start,
      passes: centredPasses,
      // What y may be made of again is h as it is stored.
      each: `let h = ${storedAs(y.dtype, exact)};`,
      outputs: [
        { name: 'y', tensor: y, value: `h * (1.0f + scale(${ofImage})) + shift(${ofImage})` },
        ...(isMade(normalized) ? [{ name: 'normalized', tensor: normalized, value: 'h' }] : []),
      ],
      ofRows: [{ name: 'made_rstd', operand: rstd, value: 'rstd' }],
      sizes: { tokens: N },
      numbers: { epsilon },
    },
    tuning,
  );
};

export interface ModulateGrad {
  /** What layerNormModulateGrad reads and makes. */
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** The gated addition that dx is the gradient of, whose own gradient is made with it: dbranch = dx gate, dgate = sum of dx branch. */
  readonly gated?: {
    readonly branch: Tensor;
    readonly gate: Tensor;
    readonly dbranch: Tensor;
    readonly dgate: Tensor;
  };
}

/** With g = dy (1 + scale): dx = rstd (g - mean(g) - h mean(g h)) + other; over tokens dshift = sum of dy, dscale = sum of dy h. */
export function modulateGrad({ inputs, outputs, gated }: ModulateGrad, tuning: Tuning): readonly Dispatch[] {
  const [normalized, scale, rstd, dy, other] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor?];
  const [dx, dshift, dscale] = outputs as [Tensor, Tensor, Tensor];
  const [B, N, D] = normalized.shape as [number, number, number];
  const [h, gradient] = [
    { name: 'h', operand: normalized },
    { name: 'dy', operand: dy },
  ];
  const each = `let g = dy(at) * (1.0f + scale(${ofImage})); let own = h(at);`;
  const made = `((g - mean) - own * along) * rstd(row)${other ? ' + other(at)' : ''}`;
  const gradients = rows(
    {
      rows: B * N,
      width: D,
      reads: [
        h,
        gradient,
        { name: 'scale', operand: scale },
        { name: 'rstd', operand: rstd },
        ...(other ? [{ name: 'other', operand: other }] : []),
        ...(gated ? [{ name: 'gate', operand: gated.gate }] : []),
      ],
      start,
      passes: [
        {
          each,
          totals: [
            { name: 'mean', term: 'g', result: 'v / f32(u.width)' },
            { name: 'along', term: 'g * own', result: 'v / f32(u.width)' },
          ],
        },
      ],
      each: `${each} let made = ${made};`,
      outputs: [
        { name: 'dx', tensor: dx, value: 'made' },
        ...(gated ? [{ name: 'dbranch', tensor: gated.dbranch, value: `made * gate(${ofImage})` }] : []),
      ],
      sizes: { tokens: N },
    },
    tuning,
  );
  const at = '(i / u.width * u.terms + j) * u.width + i % u.width';
  return [
    ...gradients,
    ...reductions({
      reads: [
        h,
        gradient,
        ...(gated
          ? [
              { name: 'dx', operand: dx },
              { name: 'branch', operand: gated.branch },
            ]
          : []),
      ],
      outputs: B * D,
      terms: N,
      totals: [
        { output: dshift, term: 'return dy(at(i, j));' },
        { output: dscale, term: 'return dy(at(i, j)) * h(at(i, j));' },
        ...(gated ? [{ output: gated.dgate, term: 'return dx(at(i, j)) * branch(at(i, j));' }] : []),
      ],
      functions: `fn at(i: u32, j: u32) -> u32 { return ${at}; }`,
      lanes: tuning.lanes,
      sizes: { width: D },
    }),
  ];
}

const layerNormModulateGrad: Kernel = (node, { tuning }) => modulateGrad(node, tuning);

export const layerNormModulateKernels: Readonly<Record<string, Kernel>> = {
  layerNormModulate,
  layerNormModulateGrad,
};
