import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** What training and sampling know of a model, whatever it is a model of. */
export interface Model {
  /** One sample, without the batch: [C, H, W] for images. */
  readonly sampleShape: Shape;
  /** 0 for a model without labels. Otherwise labels run from 0 to classes - 1, and `classes` itself is the null label. */
  readonly classes: number;
  readonly parameters: readonly ParameterSpec[];
  /**
   * The velocity x1 - x0 expected at x, time t.
   * @param params the weights, by name
   * @param x [B, ...sampleShape]
   * @param t [B] in [0, 1], float32
   * @param labels int32 [B], for a model with classes
   * @returns [B, ...sampleShape]
   */
  velocity(params: Parameters, x: Tensor, t: Tensor, labels?: Tensor): Tensor;
}

/** Trainable parameters; fixed tables are not counted. */
export function countParameters({ parameters }: Model): number {
  return parameters.reduce((total, { shape, trainable }) => total + (trainable ? sizeOf(shape) : 0), 0);
}
