import { pad } from '../../src/ops/index.ts';
import { type View, apply1 } from '../../src/ops/op.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

export type Rows = { start: number; size: number };
export type TakeRows = (x: Tensor, start: number, size: number) => Tensor;

/** x[start : start + size] along the first axis: a view that the package has no file for. */
export const rowsOp: View<Rows> = {
  kind: 'view',
  name: 'rows',
  infer: ([x], { size }) => [{ shape: [size, ...x!.shape.slice(1)], dtype: x!.dtype }],
  start: ({ shape }, { start }) => start * sizeOf(shape.slice(1)),
  vjp({ inputs, attributes: { start, size }, grads }) {
    return [pad(grads[0]!, 0, start, inputs[0]!.shape[0]! - start - size)];
  },
};

export const rows: TakeRows = (x, start, size) => apply1(rowsOp, [x], { start, size });
