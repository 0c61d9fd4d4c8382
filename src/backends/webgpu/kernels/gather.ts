import { sizeOf } from '../../../tensor/shape.ts';
import type { Kernel } from '../dispatch.ts';
import { items, reading } from '../items.ts';

const gather: Kernel = ({ inputs, outputs }) => {
  const width = inputs[0]!.shape[1]!;
  const value = 'return x0(u32(x1(i / u.width)) * u.width + i % u.width);';
  return [items({ reads: reading(inputs), output: outputs[0]!, value, sizes: { width } })];
};

/** Each element of the table looks through all indices: many reads of few numbers, but no atomics, and one order of the sums. */
const scatterAdd: Kernel = ({ inputs, outputs }) => {
  const [, index] = inputs;
  const value = `let row = i32(i / u.width);
  var total = 0.0f;
  for (var j = 0u; j < u.indices; j++) { if (x1(j) == row) { total += x0(j * u.width + i % u.width); } }
  return total;`;
  const sizes = { width: outputs[0]!.shape[1]!, indices: sizeOf(index!.shape) };
  return [items({ reads: reading(inputs), output: outputs[0]!, value, sizes })];
};

export const gatherKernels: Readonly<Record<string, Kernel>> = { gather, scatterAdd };
