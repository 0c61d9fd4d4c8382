// The residual connection of an adaLN-Zero block and its gradient, by whole vectors where the width allows.
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Argument, Dispatch, Kernel, Width } from '../dispatch.ts';
import { eachItem, items } from '../items.ts';
import { reduction } from '../reduction.ts';

/**
 * Makes y [B, N, D] of what has its shape and of `gate` [B, D].
 * @param value of numbers and of vectors. @param place an expression of where an element's gate is
 */
function gated(
  y: Tensor,
  tensors: Readonly<Record<string, Tensor>>,
  value: (load: (name: string) => string) => string,
): Dispatch {
  const [B, N, D] = y.shape as [number, number, number];
  const width: Width = D % 4 === 0 ? 4 : 1;
  const sizes = { image: (N * D) / width, width: D / width };
  const suffix = width === 1 ? '' : String(width);
  const load = (name: string): string =>
    name === 'gate' ? `gate${suffix}(i / u.image * u.width + i % u.width)` : `${name}${suffix}(i)`;
  const reads = Object.entries(tensors).map(([name, operand]): Argument => ({ name, operand, width }));
  if (width === 1) return items({ reads, output: y, value: `return ${value(load)};`, sizes });
  return eachItem({
    arguments: [...reads, { name: 'y', operand: y, isWritten: true, width }],
    count: (B * N * D) / width,
    body: `set4_y(i, ${value(load)});`,
    sizes,
  });
}

/** y = x + gate branch */
const gatedResidual: Kernel = ({ inputs, outputs }) => {
  const [x, branch, gate] = inputs as [Tensor, Tensor, Tensor];
  return [
    gated(outputs[0]!, { x, branch, gate }, (load) => `${load('x')} + ${load('gate')} * ${load('branch')}`),
  ];
};

/** dbranch = dy gate; dgate = sum of dy branch over tokens. */
const gatedResidualGrad: Kernel = ({ inputs, outputs }, { tuning }) => {
  const [dy, branch, gate] = inputs as [Tensor, Tensor, Tensor];
  const [dbranch, dgate] = outputs as [Tensor, Tensor];
  const [B, N, D] = dy.shape as [number, number, number];
  return [
    gated(dbranch, { dy, gate }, (load) => `${load('dy')} * ${load('gate')}`),
    ...reduction({
      reads: [
        { name: 'dy', operand: dy },
        { name: 'branch', operand: branch },
      ],
      output: dgate,
      outputs: B * D,
      terms: N,
      term: 'let at = (i / u.width * u.terms + j) * u.width + i % u.width; return dy(at) * branch(at);',
      lanes: tuning.lanes,
      sizes: { width: D },
    }),
  ];
};

export const gatedResidualKernels: Readonly<Record<string, Kernel>> = { gatedResidual, gatedResidualGrad };
