import { sizeOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Kernel } from '../dispatch.ts';
import { product } from '../products/index.ts';

export const matmul: Kernel = ({ inputs, outputs, attributes }, { tuning }) => {
  const [a, b] = inputs as [Tensor, Tensor];
  const y = outputs[0]!;
  const { transposeA, transposeB } = attributes as { transposeA: number; transposeB: number };
  const [M, N] = y.shape.slice(-2) as [number, number];
  const K = transposeA ? a.shape.at(-2)! : a.shape.at(-1)!;
  return product(
    {
      M,
      N,
      K,
      batch: sizeOf(y.shape.slice(0, -2)),
      a: {
        operand: a,
        contiguous: transposeA ? 'other' : 'k',
        stride: transposeA ? M : K,
        batchStride: M * K,
      },
      b: {
        operand: b,
        contiguous: transposeB ? 'k' : 'other',
        stride: transposeB ? K : N,
        batchStride: b.shape.length === 2 ? 0 : K * N,
      },
      outputs: [{ name: 'y', tensor: y, value: 'v' }],
    },
    tuning,
  );
};
