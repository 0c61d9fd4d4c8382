// Parts of a tensor along one axis, and their inverses.
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { type Shape, normalizeAxis, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { constant } from './constant.ts';
import { type Dense, type Primitive, apply, apply1, checkShape } from './op.ts';

const withExtent = (shape: Shape, axis: number, extent: number): number[] =>
  shape.map((old, i) => (i === axis ? extent : old));

/** Copies the part of `from` that starts at `fromStart` to `toStart` of `to`, `extent` long along `axis`. */
function copyAlong(
  axis: number,
  from: Dense,
  fromStart: number,
  to: Dense,
  toStart: number,
  extent: number,
): void {
  const inner = sizeOf(from.shape.slice(axis + 1));
  const outer = sizeOf(from.shape.slice(0, axis));
  for (let i = 0; i < outer; i++) {
    const start = (i * from.shape[axis]! + fromStart) * inner;
    to.data.set(from.data.subarray(start, start + extent * inner), (i * to.shape[axis]! + toStart) * inner);
  }
}

type Slice = { axis: number; start: number; size: number };
export const sliceOp: Primitive<Slice> = {
  kind: 'primitive',
  name: 'slice',
  hides: () => [{ inputs: [0], numbers: 'all', why: 'what is outside of the part is not read' }],
  infer([x], { axis, start, size }) {
    const extent = x!.shape[axis]!;
    if (
      !Number.isInteger(start) ||
      !Number.isInteger(size) ||
      start < 0 ||
      size < 1 ||
      start + size > extent
    ) {
      throw valueError(
        'slice',
        'start and size',
        `a part of axis ${axis} with extent ${extent}`,
        `${start} and ${size}`,
      );
    }
    return [{ shape: withExtent(x!.shape, axis, size), dtype: x!.dtype }];
  },
  lowPrecision: () => 'same',
  evaluate([x], [y], { axis, start, size }) {
    copyAlong(axis, x!, start, y!, 0, size);
  },
  vjp({ inputs, attributes: { axis, start, size }, grads }) {
    return [pad(grads[0]!, axis, start, inputs[0]!.shape[axis]! - start - size)];
  },
};

type Pad = { axis: number; before: number; after: number };
/** Zeros before and after, along one axis. */
export const padOp: Primitive<Pad> = {
  kind: 'primitive',
  name: 'pad',
  infer: ([x], { axis, before, after }) => [
    { shape: withExtent(x!.shape, axis, before + x!.shape[axis]! + after), dtype: x!.dtype },
  ],
  evaluate([x], [y], { axis, before }) {
    y!.data.fill(0);
    copyAlong(axis, x!, 0, y!, before, x!.shape[axis]!);
  },
  vjp: ({ inputs, attributes: { axis, before }, grads }) => [
    slice(grads[0]!, axis, before, inputs[0]!.shape[axis]!),
  ],
};

type Concat = { axis: number };
export const concatOp: Primitive<Concat> = {
  kind: 'primitive',
  name: 'concat',
  infer(inputs, { axis }) {
    const first = inputs[0]!;
    inputs.forEach((x, i) => {
      checkShape(
        'concat',
        `argument ${i}`,
        'like the first but along the axis',
        withExtent(first.shape, axis, x.shape[axis]!),
        x.shape,
      );
      if (x.dtype !== first.dtype) {
        throw new RectiflowError(
          'dtype',
          `concat: argument ${i} must be ${first.dtype} like the first, got ${x.dtype}`,
        );
      }
    });
    const extent = inputs.reduce((total, x) => total + x.shape[axis]!, 0);
    return [{ shape: withExtent(first.shape, axis, extent), dtype: first.dtype }];
  },
  evaluate(inputs, [y], { axis }) {
    let start = 0;
    for (const x of inputs) {
      copyAlong(axis, x, 0, y!, start, x.shape[axis]!);
      start += x.shape[axis]!;
    }
  },
  vjp({ inputs, attributes: { axis }, grads }) {
    let start = 0;
    return inputs.map((x) => {
      const part = slice(grads[0]!, axis, start, x.shape[axis]!);
      start += x.shape[axis]!;
      return part;
    });
  },
};

type Split = { axis: number; parts: number };
export const splitOp: Primitive<Split> = {
  kind: 'primitive',
  name: 'split',
  infer([x], { axis, parts }) {
    const size = x!.shape[axis]! / parts;
    if (!Number.isInteger(size)) {
      throw valueError('split', 'parts', `a divisor of axis ${axis}'s extent ${x!.shape[axis]}`, parts);
    }
    return Array.from({ length: parts }, () => ({
      shape: withExtent(x!.shape, axis, size),
      dtype: x!.dtype,
    }));
  },
  evaluate([x], outputs, { axis }) {
    outputs.forEach((y, i) => copyAlong(axis, x!, i * y.shape[axis]!, y, 0, y.shape[axis]!));
  },
  vjp({ outputs, attributes: { axis }, grads }) {
    const zeros = (y: Tensor): Tensor => constant(y, y.shape, new Float64Array(sizeOf(y.shape)));
    return [
      concat(
        outputs.map((y, i) => grads[i] ?? zeros(y)),
        axis,
      ),
    ];
  },
};

/** x[start : start + size] along `axis`. */
export function slice(x: Tensor, axis: number, start: number, size: number): Tensor {
  return apply1(sliceOp, [x], { axis: normalizeAxis('slice', axis, x.shape.length), start, size });
}

/** Equal parts along `axis`; throws where they do not come out even. */
export function split(x: Tensor, axis: number, parts: number): Tensor[] {
  return apply(splitOp, [x], { axis: normalizeAxis('split', axis, x.shape.length), parts });
}

export function pad(x: Tensor, axis: number, before: number, after: number): Tensor {
  return apply1(padOp, [x], { axis: normalizeAxis('pad', axis, x.shape.length), before, after });
}

export function concat(parts: readonly Tensor[], axis: number): Tensor {
  return apply1(concatOp, parts, { axis: normalizeAxis('concat', axis, parts[0]!.shape.length) });
}
