// Ops that copy elements to other places: stretching, turning axes, parts and their inverses.
import { type Shape, sizeOf, stridesOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import { isHalf } from '../../../tensor/dtype.ts';
import type { Dispatch, Kernel } from '../dispatch.ts';
import { items } from '../items.ts';
import { Sizes, broadcastIndex, stridedIndex } from '../wgsl/indices.ts';

/** @param from an expression of where element `i` of the output lies in x */
export function copied(x: Tensor, output: Tensor, from: string, sizes: Sizes): Dispatch {
  return items({
    reads: [{ name: 'x', operand: x }],
    output,
    value: `return x(${from});`,
    sizes: sizes.values,
  });
}

const broadcastTo: Kernel = ({ inputs, outputs }) => {
  const [x, y] = [inputs[0]!, outputs[0]!];
  const sizes = new Sizes();
  return [copied(x, y, broadcastIndex(sizes, 'x', x.shape, y.shape, 'i'), sizes)];
};

const transpose: Kernel = ({ inputs, outputs, attributes }) => {
  const [x, y] = [inputs[0]!, outputs[0]!];
  const from = stridesOf(x.shape);
  const strides = (attributes['permutation'] as readonly number[]).map((axis) => from[axis]!);
  const sizes = new Sizes();
  return [copied(x, y, stridedIndex(sizes, 'x', { shape: y.shape, strides }, 'i'), sizes)];
};

/** Where element `i` of a part lies in the whole, that the part begins at `start` of along an axis. */
function placeInWhole(
  sizes: Sizes,
  part: Shape,
  whole: Shape,
  along: { axis: number; start: number },
): string {
  const strides = stridesOf(whole);
  const first = sizes.of('first', along.start * strides[along.axis]!);
  return `${stridedIndex(sizes, 'w', { shape: part, strides }, 'i')} + ${first}`;
}

const slice: Kernel = ({ inputs, outputs, attributes }) => {
  const [x, y] = [inputs[0]!, outputs[0]!];
  const { axis, start } = attributes as { axis: number; start: number };
  const sizes = new Sizes();
  return [copied(x, y, placeInWhole(sizes, y.shape, x.shape, { axis, start }), sizes)];
};

const split: Kernel = ({ inputs, outputs, attributes }) => {
  const x = inputs[0]!;
  const { axis } = attributes as { axis: number };
  return outputs.map((y, i) => {
    const sizes = new Sizes();
    return copied(x, y, placeInWhole(sizes, y.shape, x.shape, { axis, start: i * y.shape[axis]! }), sizes);
  });
};

const pad: Kernel = ({ inputs, outputs, attributes }) => {
  const [x, y] = [inputs[0]!, outputs[0]!];
  const { axis, before } = attributes as { axis: number; before: number };
  const value = `let along = i / u.inner % u.padded;
  if (along < u.before || along >= u.before + u.extent) { return ${x.dtype === 'int32' ? '0' : '0.0f'}; }
  return x((i / (u.inner * u.padded) * u.extent + along - u.before) * u.inner + i % u.inner);`;
  const sizes = {
    before,
    extent: x.shape[axis]!,
    padded: y.shape[axis]!,
    inner: sizeOf(y.shape.slice(axis + 1)),
  };
  return [items({ reads: [{ name: 'x', operand: x }], output: y, value, sizes })];
};

/** Inputs that one dispatch joins: with the output they are as many buffers as every device can bind. */
const joined = 7;

/**
 * The first inputs make the whole output; each further dispatch changes what the next ones are the source of, and copies the rest over
 * from the output itself.
 */
const concat: Kernel = ({ inputs, outputs, attributes }) => {
  const y = outputs[0]!;
  const { axis } = attributes as { axis: number };
  const inner = sizeOf(y.shape.slice(axis + 1));
  const starts = startsAlong(inputs, axis);
  return chunks(inputs, joined).map((chunk, c) => {
    const first = c * joined;
    const cases = chunk.map((x, k) => {
      const [start, extent] = [starts[first + k]!, x.shape[axis]!];
      return `if (along >= ${start}u && along < ${start + extent}u) { return x${k}((outer * ${extent}u + along - ${start}u) * u.inner + i % u.inner); }`;
    });
    const otherwise = c === 0 ? (y.dtype === 'int32' ? '0' : '0.0f') : 'y(i)';
    const value = `let along = i / u.inner % u.extent; let outer = i / u.inner / u.extent;\n  ${cases.join('\n  ')}\n  return ${otherwise};`;
    return items({
      reads: chunk.map((x, k) => ({ name: `x${k}`, operand: x })),
      output: y,
      value: isHalf(y.dtype) && c > 0 ? value.replace('y(i)', 'pairOf(i)') : value,
      functions: isHalf(y.dtype) && c > 0 ? 'fn pairOf(i: u32) -> f32 { return y2(i / 2u)[i % 2u]; }' : '',
      sizes: { inner, extent: y.shape[axis]! },
    });
  });
};

function startsAlong(inputs: readonly Tensor[], axis: number): number[] {
  let end = 0;
  return inputs.map(({ shape }) => {
    const start = end;
    end += shape[axis]!;
    return start;
  });
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}

export const rearrangeKernels: Readonly<Record<string, Kernel>> = {
  broadcastTo,
  transpose,
  slice,
  split,
  pad,
  concat,
};
