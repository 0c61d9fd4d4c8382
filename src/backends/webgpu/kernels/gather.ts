import { sizeOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Dispatch, Kernel, Scratch } from '../dispatch.ts';
import { eachItem, items, reading } from '../items.ts';

const gather: Kernel = ({ inputs, outputs }) => {
  const width = inputs[0]!.shape[1]!;
  const value = 'return x0(u32(x1(i / u.width)) * u.width + i % u.width);';
  return [items({ reads: reading(inputs), output: outputs[0]!, value, sizes: { width } })];
};

/** Up to so many looks at an index it is quicker to have one dispatch. */
const mostLooks = 2 ** 24;

/** Without atomics, and in one order of the sums. */
const scatterAdd: Kernel = ({ inputs: [x, index], outputs }) => {
  const y = outputs[0]!;
  const sizes = { width: y.shape[1]!, indices: sizeOf(index!.shape) };
  const given = { x: x!, index: index!, y, sizes };
  return sizeOf(y.shape) * sizes.indices <= mostLooks ? byElements(given) : byIndices(given);
};

interface Scattered {
  readonly x: Tensor;
  readonly index: Tensor;
  readonly y: Tensor;
  readonly sizes: { readonly width: number; readonly indices: number };
}

/** Each element of the table looks through all indices. */
function byElements({ x, index, y, sizes }: Scattered): Dispatch[] {
  const value = `let row = i32(i / u.width);
  var total = 0.0f;
  for (var j = 0u; j < u.indices; j++) { if (x1(j) == row) { total += x0(j * u.width + i % u.width); } }
  return total;`;
  return [items({ reads: reading([x, index]), output: y, value, sizes })];
}

/** Each index looks for those that are equal to it; from the first of them on, one leads to the next. Other rows are zeros. */
function byIndices({ x, index, y, sizes }: Scattered): Dispatch[] {
  const [count, of] = [sizes.indices, { name: 'index', operand: index }];
  // Of each index whether it is the first, and the next one behind it, 0 for none.
  const links: Scratch = { scratch: 'links', elements: 2 * count };
  const link = eachItem({
    arguments: [of, { name: 'links', operand: links, isWritten: true }],
    count,
    body: `let row = index(i);
  var isFirst = 1.0f;
  for (var j = 0u; j < i; j++) { if (index(j) == row) { isFirst = 0.0f; break; } }
  var next = i + 1u;
  while (next < u.count && index(next) != row) { next++; }
  set_links(2u * i, isFirst);
  set_links(2u * i + 1u, select(0.0f, f32(next), next < u.count));`,
  });
  const add = eachItem({
    arguments: [
      { name: 'x', operand: x },
      of,
      { name: 'links', operand: links },
      { name: 'y', operand: y, isWritten: true },
    ],
    count: count * sizes.width,
    body: `var j = i / u.width; let column = i % u.width;
  if (links(2u * j) == 0.0f) { return; }
  let row = u32(index(j));
  var total = x(i);
  for (j = u32(links(2u * j + 1u)); j != 0u; j = u32(links(2u * j + 1u))) { total += x(j * u.width + column); }
  set_y(row * u.width + column, total);`,
    sizes,
  });
  return [items({ reads: [], output: y, value: 'return 0.0f;' }), link, add];
}

export const gatherKernels: Readonly<Record<string, Kernel>> = { gather, scatterAdd };
