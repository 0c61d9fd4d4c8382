// Rows of a table by index (an embedding), and its gradient.
import { dtypeError } from '../tensor/errors.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply1, checkRank, checkShape, float32 } from './op.ts';

type None = Record<string, never>;

export const gatherOp: Primitive<None> = {
  kind: 'primitive',
  name: 'gather',
  hides: () => [{ inputs: [0], numbers: 'all', why: 'a row that no index asks for is not read' }],
  infer([table, index]) {
    checkRank('gather', 'table', '[V, D]', 2, table!.shape);
    if (index!.dtype !== 'int32') throw dtypeError('gather', 'index', 'int32', index!.dtype);
    return [float32([...index!.shape, table!.shape[1]!])];
  },
  evaluate([table, index], [y]) {
    const width = table!.shape[1]!;
    index!.data.forEach((row, i) =>
      y!.data.set(table!.data.subarray(row * width, (row + 1) * width), i * width),
    );
  },
  vjp: ({ inputs: [table, index], grads }) => [scatterAdd(grads[0]!, index!, table!.shape[0]!), undefined],
};

type ScatterAdd = { rows: number };
export const scatterAddOp: Primitive<ScatterAdd> = {
  kind: 'primitive',
  name: 'scatterAdd',
  infer([x, index], { rows }) {
    const leading: Shape = x!.shape.slice(0, -1);
    if (index!.dtype !== 'int32') throw dtypeError('scatterAdd', 'index', 'int32', index!.dtype);
    checkShape('scatterAdd', 'index', 'the leading axes of x', leading, index!.shape);
    return [float32([rows, x!.shape.at(-1)!])];
  },
  evaluate([x, index], [y]) {
    const width = y!.shape[1]!;
    y!.data.fill(0);
    index!.data.forEach((row, i) => {
      for (let j = 0; j < width; j++) y!.data[row * width + j]! += x!.data[i * width + j]!;
    });
  },
  vjp: ({ inputs: [, index], grads }) => [gather(grads[0]!, index!), undefined],
};

/** table [V, D] and int32 index [...] -> [..., D]. The caller sees to it that 0 <= index < V. */
export function gather(table: Tensor, index: Tensor): Tensor {
  return apply1(gatherOp, [table, index], {});
}

/** x [..., D] and index [...] -> [rows, D]: row v is the sum of the x whose index is v. */
export function scatterAdd(x: Tensor, index: Tensor, rows: number): Tensor {
  return apply1(scatterAddOp, [x, index], { rows });
}
