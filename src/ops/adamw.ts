import type { Tensor } from '../tensor/tensor.ts';
import { type Dense, type Primitive, apply, checkScalar, checkShape } from './op.ts';

export type AdamWSettings = { beta1: number; beta2: number; epsilon: number; weightDecay: number };

/** What one parameter's update reads and changes. All but the scalars have the parameter's shape. */
export interface AdamWArguments {
  readonly param: Tensor;
  readonly grad: Tensor;
  /** First and second moments. */
  readonly m: Tensor;
  readonly v: Tensor;
  readonly ema: Tensor;
  /** [], what the gradient is multiplied with: clipping. */
  readonly gradScale: Tensor;
  /** [] */
  readonly learningRate: Tensor;
  /** int32 [], 1 for the first step. */
  readonly step: Tensor;
  /** [], how much of the new weights the average takes up: 1 - decay, so that float32 keeps the digits of a small one. */
  readonly emaWeight: Tensor;
  /** int32 [], 0 leaves everything as it is, whatever the gradient. */
  readonly counts: Tensor;
}

/**
 * AdamW with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2, with the decay scaled by the learning rate as
 * PyTorch does) and the exponential moving average of the new weights, in one pass over memory.
 */
export const adamwOp: Primitive<AdamWSettings> = {
  kind: 'primitive',
  name: 'adamw',
  hides: () => [{ numbers: 'all', why: 'a step that does not count changes nothing' }],
  mutates: [0, 2, 3, 4],
  infer([param, ...others]) {
    const names = ['grad', 'm', 'v', 'ema'];
    names.forEach((name, i) =>
      checkShape('adamw', name, "the parameter's shape", param!.shape, others[i]!.shape),
    );
    const scalars = {
      gradScale: 'float32',
      learningRate: 'float32',
      step: 'int32',
      emaWeight: 'float32',
      counts: 'int32',
    } as const;
    Object.entries(scalars).forEach(([name, dtype], i) =>
      checkScalar('adamw', name, dtype, others[names.length + i]!),
    );
    return [];
  },
  evaluate(inputs, _outputs, settings) {
    const [param, grad, m, v, ema, gradScale, learningRate, step, emaWeight, counts] = inputs.map(
      ({ data }) => data,
    ) as [...Dense['data'][]];
    if (counts![0] === 0) return;
    const { beta1, beta2, epsilon, weightDecay } = settings;
    const rate = learningRate![0]!;
    const stepSize = rate / (1 - beta1 ** step![0]!);
    const correction = Math.sqrt(1 - beta2 ** step![0]!);
    for (let i = 0; i < param!.length; i++) {
      const g = grad![i]! * gradScale![0]!;
      m![i] = beta1 * m![i]! + (1 - beta1) * g;
      v![i] = beta2 * v![i]! + (1 - beta2) * g * g;
      const direction = m![i]! / (Math.sqrt(v![i]!) / correction + epsilon);
      param![i] = param![i]! * (1 - rate * weightDecay) - stepSize * direction;
      ema![i]! += emaWeight![0]! * (param![i]! - ema![i]!);
    }
  },
};

/** Updates param, m, v and ema in place. */
export function adamw(given: AdamWArguments, settings: AdamWSettings): void {
  const { param, grad, m, v, ema, gradScale, learningRate, step, emaWeight, counts } = given;
  apply(adamwOp, [param, grad, m, v, ema, gradScale, learningRate, step, emaWeight, counts], settings);
}
