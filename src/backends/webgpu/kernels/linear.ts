// Linear layers, each one product: what is applied to its result, or makes an operand, is done on the way.
import { activations } from '../../../ops/activations.ts';
import { sizeOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Kernel } from '../dispatch.ts';
import { type Product, product } from '../products/index.ts';
import { activated, derivative } from './activations.ts';
import { storedAs } from '../wgsl/halves.ts';
import { matching } from './matching.ts';

const rowsOf = ({ shape }: Tensor): number => sizeOf(shape.slice(0, -1));
const widthOf = ({ shape }: Tensor): number => shape.at(-1)!;

/** Rows of data times weights [O, I], which are summed over I or, of a gradient, over O. */
function times(data: Tensor, w: Tensor, over: 'I' | 'O'): Pick<Product, 'M' | 'N' | 'K' | 'a' | 'b'> {
  const [O, I] = w.shape as [number, number];
  const [N, K] = over === 'I' ? [O, I] : [I, O];
  return {
    M: rowsOf(data),
    N,
    K,
    a: { operand: data, contiguous: 'k', stride: K },
    b: { operand: w, contiguous: over === 'I' ? 'k' : 'other', stride: I, ...matching(w, data) },
  };
}

/** z = x w^T + b, y = activation(z). */
const linear: Kernel = ({ inputs, outputs, attributes }, { isMade, tuning }) => {
  const [x, w, b] = inputs as [Tensor, Tensor, Tensor?];
  const [y, z] = outputs as [Tensor, Tensor?];
  const { activation } = attributes as { activation: number };
  const exact = b ? 'v + bias(col)' : 'v';
  // As it is stored: the backward pass makes y again of that.
  const sum = z ? storedAs(z.dtype, exact) : exact;
  return product(
    {
      ...times(x, w, 'I'),
      reads: b ? [{ name: 'bias', operand: b }] : [],
      outputs: [
        { name: 'y', tensor: y, value: activated(activation, `(${sum})`) },
        ...(z !== undefined && isMade(z) ? [{ name: 'z', tensor: z, value: sum }] : []),
      ],
    },
    tuning,
  );
};

/** y = x + gate (h w^T + b) */
const linearGatedResidual: Kernel = ({ inputs, outputs }, { isMade, tuning }) => {
  const [h, w, b, x, gate] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const [y, branch] = outputs as [Tensor, Tensor];
  const sum = 'v + bias(col)';
  return product(
    {
      ...times(h, w, 'I'),
      reads: [
        { name: 'bias', operand: b },
        { name: 'x', operand: x },
        { name: 'gate', operand: gate },
      ],
      sizes: { tokens: x.shape[1]! },
      outputs: [
        { name: 'y', tensor: y, value: `x(at) + gate(row / u.tokens * u.N + col) * (${sum})` },
        ...(isMade(branch) ? [{ name: 'branch', tensor: branch, value: sum }] : []),
      ],
    },
    tuning,
  );
};

/** dx = dy w, times what a third input is or gives. */
const linearGradInput: Kernel = ({ inputs, outputs, attributes }, { tuning }) => {
  const [dy, w, other] = inputs as [Tensor, Tensor, Tensor?];
  const { activation } = attributes as { activation: number };
  const factor = activation === activations.none ? 'other(at)' : derivative(activation, 'other(at)');
  return product(
    {
      ...times(dy, w, 'O'),
      reads: other ? [{ name: 'other', operand: other }] : [],
      outputs: [{ name: 'dx', tensor: outputs[0]!, value: other ? `v * ${factor}` : 'v' }],
    },
    tuning,
  );
};

/** dw = dy^T x and db, over all rows; of x made again where its sources stand for it. */
const linearGradParams: Kernel = ({ inputs, outputs, attributes }, { isMade, tuning }) => {
  const [x, dy, shift, scale] = inputs as [Tensor, Tensor, Tensor?, Tensor?];
  const [dw, db] = outputs as [Tensor, Tensor];
  const { activation } = attributes as { activation: number };
  const [O, I, rows] = [widthOf(dy), widthOf(x), rowsOf(x)];
  const place = 'k / u.tokens * u.N + other';
  const exact = shift ? `value * (1.0f + scale(${place})) + shift(${place})` : activated(activation, 'value');
  // As it was stored where it was first made.
  const made = storedAs(x.dtype, exact);
  const isMadeAgain = shift !== undefined || activation !== activations.none;
  return product(
    {
      M: O,
      N: I,
      K: rows,
      inParts: true,
      rowSums: isMade(db) ? db : undefined,
      a: { operand: dy, contiguous: 'other', stride: O },
      b: { operand: x, contiguous: 'other', stride: I, ...(isMadeAgain && { made, madeAs: x.dtype }) },
      reads: shift
        ? [
            { name: 'shift', operand: shift },
            { name: 'scale', operand: scale! },
          ]
        : [],
      sizes: shift ? { tokens: x.shape[1]! } : {},
      outputs: [{ name: 'dw', tensor: dw, value: 'v' }],
    },
    tuning,
  );
};

export const linearKernels: Readonly<Record<string, Kernel>> = {
  linear,
  linearGatedResidual,
  linearGradInput,
  linearGradParams,
};
