// The residual connection of an adaLN-Zero block: its gate starts at zero, so that the block starts as the identity.
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { add, mul } from './elementwise.ts';
import { type Fused, apply, apply1, checkRank, checkShape, float32 } from './op.ts';
import { reshape } from './reshape.ts';
import { sum } from './sum.ts';

type None = Record<string, never>;

const overTokens = (gate: Tensor): Tensor => reshape(gate, [gate.shape[0]!, 1, gate.shape[1]!]);

function check(op: string, x: TensorType, branch: TensorType, gate: TensorType): void {
  checkRank(op, 'x', '[B, N, D]', 3, x.shape);
  checkShape(op, 'branch', '[B, N, D]', x.shape, branch.shape);
  checkShape(op, 'gate', '[B, D]', [x.shape[0]!, x.shape[2]!], gate.shape);
}

export const gatedResidualOp: Fused<None> = {
  kind: 'fused',
  name: 'gatedResidual',
  infer([x, branch, gate]) {
    check('gatedResidual', x!, branch!, gate!);
    return [float32(x!.shape)];
  },
  lowPrecision: () => ({ inputs: [1], outputs: [] }),
  decompose: ([x, branch, gate]) => [add(x!, mul(branch!, overTokens(gate!)))],
  vjp({ inputs: [, branch, gate], grads: [g] }) {
    return [g, ...apply(gatedResidualGradOp, [g!, branch!, gate!], {})];
  },
};

/** dy [B, N, D], branch [B, N, D], gate [B, D] -> dbranch [B, N, D], dgate [B, D] */
export const gatedResidualGradOp: Fused<None> = {
  kind: 'fused',
  name: 'gatedResidualGrad',
  infer([dy, branch, gate]) {
    check('gatedResidualGrad', dy!, branch!, gate!);
    return [float32(dy!.shape), float32(gate!.shape)];
  },
  lowPrecision: () => ({ inputs: [1], outputs: [0] }),
  decompose: ([dy, branch, gate]) => [mul(dy!, overTokens(gate!)), sum(mul(dy!, branch!), [1])],
};

/**
 * x + gate * branch
 * @param x [B, N, D]
 * @param branch [B, N, D]
 * @param gate [B, D]
 */
export function gatedResidual(x: Tensor, branch: Tensor, gate: Tensor): Tensor {
  return apply1(gatedResidualOp, [x, branch, gate], {});
}
