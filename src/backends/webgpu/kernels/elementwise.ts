// Elementwise ops. What broadcasts is read where it lies.
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Kernel } from '../dispatch.ts';
import { items, reading } from '../items.ts';
import { Sizes, broadcastIndex } from '../wgsl/indices.ts';

/** @param expression of `a` and `b` */
export function binary(expression: string): Kernel {
  return ({ inputs, outputs }) => {
    const [a, b] = inputs as [Tensor, Tensor];
    const output = outputs[0]!;
    const sizes = new Sizes();
    const at = (name: string, { shape }: Tensor): string =>
      broadcastIndex(sizes, name, shape, output.shape, 'i');
    const value = `let a = x0(${at('a', a)}); let b = x1(${at('b', b)}); return ${expression};`;
    return [items({ reads: reading([a, b]), output, value, sizes: sizes.values })];
  };
}

/** @param expression of `x` */
export function unary(expression: string): Kernel {
  return ({ inputs, outputs }) => [
    items({ reads: reading(inputs), output: outputs[0]!, value: `let x = x0(i); return ${expression};` }),
  ];
}

/** A comparison does not let NaN through: the sum of both does. */
const chosen = (comparison: string): string =>
  `select(select(b, a, ${comparison}), a + b, isNaN_(a) || isNaN_(b))`;

const affine: Kernel = ({ inputs, outputs, attributes }) => {
  const { scale, offset } = attributes as { scale: number; offset: number };
  return [
    items({
      reads: reading(inputs),
      output: outputs[0]!,
      // As uniforms, which no compiler knows: 0 x is NaN where x is not finite.
      value: 'return u.scale * x0(i) + u.offset;',
      numbers: { scale, offset },
    }),
  ];
};

export const elementwiseKernels: Readonly<Record<string, Kernel>> = {
  add: binary('a + b'),
  sub: binary('a - b'),
  mul: binary('a * b'),
  div: binary('a / b'),
  less: binary('select(0.0f, 1.0f, a < b)'),
  minimum: binary(chosen('a < b')),
  maximum: binary(chosen('a > b')),
  neg: unary('-x'),
  exp: unary('exp_(x)'),
  log: unary('log_(x)'),
  sqrt: unary('sqrt_(x)'),
  square: unary('x * x'),
  reciprocal: unary('1.0f / x'),
  tanh: unary('tanh_(x)'),
  sigmoid: unary('sigmoid_(x)'),
  sin: unary('cosSin(x).y'),
  cos: unary('cosSin(x).x'),
  affine,
};
