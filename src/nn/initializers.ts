import { affine, broadcastTo, constant, philoxNormal, philoxUniform, reshape } from '../ops/index.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Where a parameter's random numbers come from: a stream of its own, read at step 0 (int32 []). */
export interface InitialDraw {
  readonly step: Tensor;
  readonly seed: number;
  readonly stream: number;
}

/** Records what makes a parameter's first values. */
export type Initializer = (shape: Shape, draw: InitialDraw) => Tensor;

export const zeros: Initializer = filled(0);
export const ones: Initializer = filled(1);

function filled(value: number): Initializer {
  return (shape, { step }) => broadcastTo(constant(step, [], Float64Array.of(value)), shape);
}

/** N(0, deviation^2) */
export function normal(deviation: number): Initializer {
  return (shape, { step, ...key }) =>
    reshape(affine(philoxNormal(step, [1, sizeOf(shape)], key), deviation, 0), shape);
}

/**
 * Uniform in +-sqrt(6 / (in + out)) (Glorot & Bengio 2010, eq. 16), where out is the first extent and in the product of the
 * others: a convolution's kernel counts as the linear layer that it is for one patch.
 */
export const xavierUniform: Initializer = (shape, { step, ...key }) => {
  const elements = sizeOf(shape);
  const bound = Math.sqrt(6 / (shape[0]! + elements / shape[0]!));
  return reshape(affine(philoxUniform(step, [1, elements], key), 2 * bound, -bound), shape);
};

/**
 * Uniform in +-1 / sqrt(in), where in is the product of all extents but the first: what PyTorch's convolutions begin with, and so the
 * autoencoders that are trained with it.
 */
export const uniformOfInputs: Initializer = (shape, { step, ...key }) => {
  const elements = sizeOf(shape);
  const bound = 1 / Math.sqrt(elements / shape[0]!);
  return reshape(affine(philoxUniform(step, [1, elements], key), 2 * bound, -bound), shape);
};

/** Values that are computed, not drawn. */
export function fixed(values: () => ArrayLike<number>): Initializer {
  return (shape, { step }) => constant(step, shape, Float64Array.from(values()));
}
