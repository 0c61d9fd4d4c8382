// Elementwise ops. Binary ones broadcast as NumPy does.
import { isFloat } from '../tensor/dtype.ts';
import { dtypeError } from '../tensor/errors.ts';
import { broadcastShapes, broadcastStrides, sameShape, walkStrided } from '../tensor/shape.ts';
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { type Application, type Dense, type LowPrecision, type Primitive, apply1, float32 } from './op.ts';
import { reshape } from './reshape.ts';
import { sum } from './sum.ts';

type None = Record<string, never>;

function checkFloats(op: string, inputs: readonly TensorType[]): void {
  inputs.forEach(({ dtype }, i) => {
    if (!isFloat(dtype)) throw dtypeError(op, `argument ${i}`, 'a floating type', dtype);
  });
}

/** Sums a broadcast gradient back to the shape of the argument it belongs to. */
function unbroadcast(grad: Tensor, to: Tensor): Tensor {
  const missing = grad.shape.length - to.shape.length;
  const axes = grad.shape.flatMap((extent, axis) =>
    axis < missing || (to.shape[axis - missing] === 1 && extent !== 1) ? [axis] : [],
  );
  const summed = axes.length === 0 ? grad : sum(grad, axes, true);
  return sameShape(summed.shape, to.shape) ? summed : reshape(summed, to.shape);
}

function binary(
  name: string,
  f: (a: number, b: number) => number,
  vjp?: (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => [Tensor, Tensor],
  lowPrecision?: (inputs: readonly TensorType[]) => LowPrecision | undefined,
): Primitive<None> {
  return {
    kind: 'primitive',
    name,
    infer(inputs) {
      checkFloats(name, inputs);
      return [float32(broadcastShapes(name, inputs[0]!.shape, inputs[1]!.shape))];
    },
    evaluate([a, b], [y]) {
      evaluateBinary(f, a!, b!, y!);
    },
    ...(vjp && {
      vjp({ inputs, outputs, grads }: Application<None>) {
        const [ga, gb] = vjp(grads[0]!, inputs[0]!, inputs[1]!, outputs[0]!);
        return [unbroadcast(ga, inputs[0]!), unbroadcast(gb, inputs[1]!)];
      },
    }),
    ...(lowPrecision && { lowPrecision }),
  };
}

function evaluateBinary(f: (a: number, b: number) => number, a: Dense, b: Dense, y: Dense): void {
  walkStrided(y.shape, broadcastStrides(a.shape, y.shape), (i, at) => {
    y.data[i] = a.data[at]!;
  });
  walkStrided(y.shape, broadcastStrides(b.shape, y.shape), (i, at) => {
    y.data[i] = f(y.data[i]!, b.data[at]!);
  });
}

function unary(
  name: string,
  f: (x: number) => number,
  vjp: (g: Tensor, x: Tensor, y: Tensor) => Tensor,
): Primitive<None> {
  return {
    kind: 'primitive',
    name,
    infer(inputs) {
      checkFloats(name, inputs);
      return [float32(inputs[0]!.shape)];
    },
    evaluate([x], [y]) {
      for (let i = 0; i < y!.data.length; i++) y!.data[i] = f(x!.data[i]!);
    },
    vjp: ({ inputs, outputs, grads }) => [vjp(grads[0]!, inputs[0]!, outputs[0]!)],
  };
}

export const addOp: Primitive<None> = binary(
  'add',
  (a, b) => a + b,
  (g) => [g, g],
);
export const subOp: Primitive<None> = binary(
  'sub',
  (a, b) => a - b,
  (g) => [g, neg(g)],
);
export const mulOp: Primitive<None> = binary(
  'mul',
  (a, b) => a * b,
  (g, a, b) => [mul(g, b), mul(g, a)],
  // The product with an activation's stored derivative, the one place where both factors are matrices of the linear layers.
  ([a, b]) => (sameShape(a!.shape, b!.shape) ? { inputs: [0, 1], outputs: [0] } : undefined),
);
export const divOp: Primitive<None> = {
  ...binary(
    'div',
    (a, b) => a / b,
    (g, _a, b, y) => [div(g, b), neg(div(mul(g, y), b))],
  ),
  hides: () => [{ inputs: [1], numbers: 'infinity', why: 'a number divided by infinity is 0' }],
};
/** 1 where a < b, else 0; its gradient is zero. */
export const lessOp: Primitive<None> = {
  ...binary('less', (a, b) => (a < b ? 1 : 0)),
  hides: () => [{ numbers: 'all', why: 'they are compared' }],
  vjp: () => [],
};
export const minimumOp: Primitive<None> = {
  ...binary('minimum', Math.min, (g, a, b) => {
    const chosen = less(a, b);
    return [mul(g, chosen), mul(g, affine(chosen, -1, 1))];
  }),
  hides: () => [{ inputs: [0, 1], numbers: 'infinity', why: 'the other argument is chosen' }],
};
export const maximumOp: Primitive<None> = {
  ...binary('maximum', Math.max, (g, a, b) => {
    const chosen = less(b, a);
    return [mul(g, chosen), mul(g, affine(chosen, -1, 1))];
  }),
  hides: () => [{ inputs: [0, 1], numbers: 'infinity', why: 'the other argument is chosen' }],
};

export const negOp: Primitive<None> = unary(
  'neg',
  (x) => -x,
  (g) => neg(g),
);
export const expOp: Primitive<None> = {
  ...unary('exp', Math.exp, (g, _x, y) => mul(g, y)),
  hides: () => [{ inputs: [0], numbers: 'infinity', why: 'the power of -infinity is 0' }],
};
export const logOp: Primitive<None> = unary('log', Math.log, (g, x) => div(g, x));
export const sqrtOp: Primitive<None> = unary('sqrt', Math.sqrt, (g, _x, y) => div(affine(g, 0.5, 0), y));
export const squareOp: Primitive<None> = unary(
  'square',
  (x) => x * x,
  (g, x) => mul(g, affine(x, 2, 0)),
);
export const reciprocalOp: Primitive<None> = {
  ...unary(
    'reciprocal',
    (x) => 1 / x,
    (g, _x, y) => neg(mul(g, square(y))),
  ),
  hides: () => [{ inputs: [0], numbers: 'infinity', why: 'its limits are 0' }],
};
export const tanhOp: Primitive<None> = {
  ...unary('tanh', Math.tanh, (g, _x, y) => mul(g, affine(square(y), -1, 1))),
  hides: () => [{ inputs: [0], numbers: 'infinity', why: 'its limits are -1 and 1' }],
};
export const sigmoidOp: Primitive<None> = {
  ...unary(
    'sigmoid',
    (x) => 1 / (1 + Math.exp(-x)),
    (g, _x, y) => mul(g, mul(y, affine(y, -1, 1))),
  ),
  hides: () => [{ inputs: [0], numbers: 'infinity', why: 'its limits are 0 and 1' }],
};
export const sinOp: Primitive<None> = unary('sin', Math.sin, (g, x) => mul(g, cos(x)));
export const cosOp: Primitive<None> = unary('cos', Math.cos, (g, x) => neg(mul(g, sin(x))));

type Affine = { scale: number; offset: number };
export const affineOp: Primitive<Affine> = {
  kind: 'primitive',
  name: 'affine',
  infer(inputs) {
    checkFloats('affine', inputs);
    return [float32(inputs[0]!.shape)];
  },
  evaluate([x], [y], { scale, offset }) {
    for (let i = 0; i < y!.data.length; i++) y!.data[i] = scale * x!.data[i]! + offset;
  },
  vjp: ({ grads, attributes }) => [affine(grads[0]!, attributes.scale, 0)],
};

export const add = (a: Tensor, b: Tensor): Tensor => apply1(addOp, [a, b], {});
export const sub = (a: Tensor, b: Tensor): Tensor => apply1(subOp, [a, b], {});
export const mul = (a: Tensor, b: Tensor): Tensor => apply1(mulOp, [a, b], {});
export const div = (a: Tensor, b: Tensor): Tensor => apply1(divOp, [a, b], {});
export const less = (a: Tensor, b: Tensor): Tensor => apply1(lessOp, [a, b], {});
export const minimum = (a: Tensor, b: Tensor): Tensor => apply1(minimumOp, [a, b], {});
export const maximum = (a: Tensor, b: Tensor): Tensor => apply1(maximumOp, [a, b], {});
export const neg = (x: Tensor): Tensor => apply1(negOp, [x], {});
export const exp = (x: Tensor): Tensor => apply1(expOp, [x], {});
export const log = (x: Tensor): Tensor => apply1(logOp, [x], {});
export const sqrt = (x: Tensor): Tensor => apply1(sqrtOp, [x], {});
export const square = (x: Tensor): Tensor => apply1(squareOp, [x], {});
export const reciprocal = (x: Tensor): Tensor => apply1(reciprocalOp, [x], {});
export const tanh = (x: Tensor): Tensor => apply1(tanhOp, [x], {});
export const sigmoid = (x: Tensor): Tensor => apply1(sigmoidOp, [x], {});
export const sin = (x: Tensor): Tensor => apply1(sinOp, [x], {});
export const cos = (x: Tensor): Tensor => apply1(cosOp, [x], {});
/** scale * x + offset */
export const affine = (x: Tensor, scale: number, offset: number): Tensor =>
  apply1(affineOp, [x], { scale, offset });
