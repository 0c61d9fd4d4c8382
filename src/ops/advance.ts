import { dtypeError, valueError } from '../tensor/errors.ts';
import { fromFloat32Parts, partsPerNumber } from '../tensor/float32-parts.ts';
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { type Dense, type Primitive, apply1, checkShape } from './op.ts';

type Noisy = { noise: number };

/** Slopes that kernels take. */
export const mostSlopes = 8;

/**
 * A step of a solver of differential equations, whose numbers are float64: y = x - scale (w1 v1 + w2 v2 + ...) + deviation z, made in
 * float64 in that order and rounded once, so that the same step made on the host has the same bits. The attribute `noise` is 1 where
 * there is z, the last input.
 */
export const advanceOp: Primitive<Noisy> = {
  kind: 'primitive',
  name: 'advance',
  infer(inputs, { noise }) {
    const [x, coefficients, ...others] = inputs;
    const slopes = others.length - noise;
    if (slopes < 1 || slopes > mostSlopes)
      throw valueError('advance', 'slopes', `1 to ${mostSlopes} of them`, slopes);
    const numbers = 1 + others.length;
    checkShape('advance', 'coefficients', '[numbers, parts]', [numbers, partsPerNumber], coefficients!.shape);
    others.forEach((other, i) => {
      checkShape('advance', i < slopes ? `slope ${i}` : 'noise', "x's shape", x!.shape, other.shape);
    });
    return [checkedFloats('advance', inputs)];
  },
  evaluate([x, coefficients, ...others], [y], { noise }) {
    const numbers = fromFloat32Parts(coefficients!.data);
    const values = others.map(({ data }) => data);
    const [scale, ...weights] = numbers;
    const slopes = values.slice(0, values.length - noise).map((v, i) => [weights[i]!, v] as const);
    const z = noise === 1 ? ([numbers.at(-1)!, values.at(-1)!] as const) : undefined;
    advanceInto(y!.data, x!.data, scale!, slopes, z);
  },
};

/** Numbers, with the one that they are multiplied with. */
export type Weighted<V> = readonly [weight: number, values: V];

/** What the op computes, of float64 or float32 numbers. @param y where to; may be x */
export function advanceInto(
  y: Dense['data'],
  x: ArrayLike<number>,
  scale: number,
  slopes: readonly Weighted<ArrayLike<number>>[],
  noise?: Weighted<ArrayLike<number>>,
): void {
  const [[firstWeight, first], ...others] = slopes as [Weighted<ArrayLike<number>>];
  for (let i = 0; i < y.length; i++) {
    // Begun with the first, not with 0, which would take the sign off a negative zero.
    let slope = firstWeight * first[i]!;
    for (const [weight, values] of others as Weighted<ArrayLike<number>>[]) slope += weight * values[i]!;
    const flowed = x[i]! - scale * slope;
    y[i] = noise ? flowed + noise[0] * noise[1][i]! : flowed;
  }
}

/**
 * @param coefficients [N, 3]: scale, the weights of the slopes and, where there is noise, its deviation; by `toFloat32Parts`
 * @param slopes 1 to 8, of x's shape
 * @param noise z, of x's shape
 */
export function advance(x: Tensor, coefficients: Tensor, slopes: readonly Tensor[], noise?: Tensor): Tensor {
  const inputs = [x, coefficients, ...slopes, ...(noise ? [noise] : [])];
  return apply1(advanceOp, inputs, { noise: noise ? 1 : 0 });
}

/** Throws unless all inputs are float32; the type of the first. */
export function checkedFloats(op: string, inputs: readonly TensorType[]): TensorType {
  inputs.forEach(({ dtype }, i) => {
    if (dtype !== 'float32') throw dtypeError(op, `argument ${i}`, 'float32', dtype);
  });
  return { shape: inputs[0]!.shape, dtype: 'float32' };
}
