// Randomness as an op: numbers are a function of (seed, stream, step, sample), whatever the threads, ranks or restarts.
import { dtypeError, valueError } from '../tensor/errors.ts';
import { philoxNormal as normals, philoxUniform as uniforms } from '../tensor/philox.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply1, float32 } from './op.ts';

type Philox = {
  shape: Shape;
  seed: number;
  stream: number;
  firstSample: number;
  /** 1 where all backends that have float64 give the same bits: what `philoxNormal` in src/tensor gives, rounded. */
  exact?: number;
};

export interface PhiloxKey {
  /** Below 2^53. */
  readonly seed: number;
  /** Tells apart the draws of one step: noise, times, dropout, ... */
  readonly stream: number;
  /** The index in the global batch of the first sample, 0 by default; int32 [] where only a run knows it. */
  readonly firstSample?: number | Tensor;
  /**
   * Normal numbers to the bit as the host draws them, float64 rounded to float32, wherever there is float64. Otherwise, by default,
   * a few in 10^8 may be the neighbouring ones, which takes less time.
   */
  readonly exact?: boolean;
}

function generator(name: string, numbers: typeof uniforms): Primitive<Philox> {
  return {
    kind: 'primitive',
    name,
    infer([step, first], { shape, seed }) {
      if (step!.dtype !== 'int32') throw dtypeError(name, 'step', 'int32', step!.dtype);
      if (first && first.dtype !== 'int32') throw dtypeError(name, 'firstSample', 'int32', first.dtype);
      if (!Number.isSafeInteger(seed) || seed < 0)
        throw valueError(name, 'seed', 'an integer in [0, 2^53)', seed);
      return [float32(shape)];
    },
    evaluate([step, first], [y], { shape, seed, stream, firstSample: known }) {
      const samples = shape[0] ?? 1;
      const elements = sizeOf(shape) / samples;
      const firstSample = first ? first.data[0]! : known;
      y!.data.set(numbers({ seed, stream, step: step!.data[0]!, firstSample, samples, elements }));
    },
    vjp: () => [],
  };
}

export const philoxUniformOp: Primitive<Philox> = generator('philoxUniform', uniforms);
export const philoxNormalOp: Primitive<Philox> = generator('philoxNormal', normals);

/** Uniform on (0, 1). @param step int32 [] @param shape axis 0 counts samples */
export function philoxUniform(step: Tensor, shape: Shape, key: PhiloxKey): Tensor {
  return draw(philoxUniformOp, step, shape, key);
}

/** Standard normal. @param step int32 [] @param shape axis 0 counts samples */
export function philoxNormal(step: Tensor, shape: Shape, key: PhiloxKey): Tensor {
  return draw(philoxNormalOp, step, shape, key);
}

function draw(op: Primitive<Philox>, step: Tensor, shape: Shape, key: PhiloxKey): Tensor {
  const { seed, stream, firstSample: first = 0, exact = false } = key;
  const attributes = { shape, seed, stream, ...(exact && { exact: 1 }) };
  return typeof first === 'number'
    ? apply1(op, [step], { ...attributes, firstSample: first })
    : apply1(op, [step, first], { ...attributes, firstSample: 0 });
}
