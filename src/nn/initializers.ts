import { philoxNormal, philoxUniform } from '../tensor/philox.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';

/** Makes a parameter's first values, row-major, from the random numbers of one stream. */
export type Initializer = (
  shape: Shape,
  key: { readonly seed: number; readonly stream: number },
) => Float32Array;

const wholeStream = { step: 0, firstSample: 0, samples: 1 } as const;

export const zeros: Initializer = (shape) => new Float32Array(sizeOf(shape));

/** N(0, deviation^2) */
export function normal(deviation: number): Initializer {
  return (shape, key) =>
    Float32Array.from(
      philoxNormal({ ...key, ...wholeStream, elements: sizeOf(shape) }),
      (value) => deviation * value,
    );
}

/**
 * Uniform in +-sqrt(6 / (in + out)) (Glorot & Bengio 2010, eq. 16), where out is the first extent and in the product of the
 * others: a convolution's kernel counts as the linear layer that it is for one patch.
 */
export const xavierUniform: Initializer = (shape, key) => {
  const elements = sizeOf(shape);
  const bound = Math.sqrt(6 / (shape[0]! + elements / shape[0]!));
  return Float32Array.from(philoxUniform({ ...key, ...wholeStream, elements }), (u) => bound * (2 * u - 1));
};

/** Values that are computed, not drawn. */
export function fixed(values: () => Float32Array): Initializer {
  return () => values();
}
