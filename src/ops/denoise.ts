import { fromFloat32Parts, partsPerNumber } from '../tensor/float32-parts.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { checkedFloats } from './advance.ts';
import { type Dense, type Primitive, apply1, checkShape } from './op.ts';

type Clip = { clip: number };

/** How much of x is data and how much is noise, before a step and after it. */
export interface Shares {
  readonly data: number;
  readonly noise: number;
  readonly nextData: number;
  readonly nextNoise: number;
}

/** Their order in the op's coefficients. */
export const sharesInOrder = ({ data, noise, nextData, nextNoise }: Shares): number[] => [
  data,
  noise,
  nextData,
  nextNoise,
];

/**
 * A step from more noise to less, by the noise that is predicted to be in x. In float64 in this order, rounded once:
 *
 *     foreseen = (x - noise prediction) / data, within [-clip, clip] unless clip is 0
 *     y        = nextData foreseen + nextNoise (x - data foreseen) / noise
 */
export const denoiseOp: Primitive<Clip> = {
  kind: 'primitive',
  name: 'denoise',
  infer(inputs) {
    const [x, coefficients, prediction] = inputs;
    checkShape('denoise', 'coefficients', '[shares, parts]', [4, partsPerNumber], coefficients!.shape);
    checkShape('denoise', 'prediction', "x's shape", x!.shape, prediction!.shape);
    return [checkedFloats('denoise', inputs)];
  },
  hides: ({ clip }) =>
    clip === 0
      ? []
      : [{ inputs: [1, 2], numbers: 'infinity', why: 'data that are foreseen are kept in their range' }],
  evaluate([x, coefficients, prediction], [y], { clip }) {
    const [data, noise, nextData, nextNoise] = fromFloat32Parts(coefficients!.data) as [
      number,
      number,
      number,
      number,
    ];
    denoiseInto(y!.data, x!.data, prediction!.data, { data, noise, nextData, nextNoise }, clip);
  },
};

/** What the op computes, of float64 or float32 numbers. @param y where to; may be x */
export function denoiseInto(
  y: Dense['data'],
  x: ArrayLike<number>,
  prediction: ArrayLike<number>,
  { data, noise, nextData, nextNoise }: Shares,
  clip: number,
): void {
  const limit = clip === 0 ? Infinity : clip;
  for (let i = 0; i < y.length; i++) {
    const foreseen = (x[i]! - noise * prediction[i]!) / data;
    const kept = Math.min(limit, Math.max(-limit, foreseen));
    y[i] = nextData * kept + (nextNoise * (x[i]! - data * kept)) / noise;
  }
}

/**
 * @param coefficients [4, 3]: `sharesInOrder`, by `toFloat32Parts`
 * @param prediction of the noise in x, of its shape
 * @param clip from 0, which is none
 */
export function denoise(x: Tensor, coefficients: Tensor, prediction: Tensor, clip: number): Tensor {
  return apply1(denoiseOp, [x, coefficients, prediction], { clip });
}
