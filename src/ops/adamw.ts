import type { Tensor } from '../tensor/tensor.ts';
import { lerpAssign, lerpAssignOp } from './lerp-assign.ts';
import { type Dense, type Fused, type Primitive, apply, checkScalar, checkShape } from './op.ts';

export type AdamWSettings = { beta1: number; beta2: number; epsilon: number; weightDecay: number };

/** What one parameter's update reads and changes. All but the scalars have the parameter's shape. */
export interface AdamWArguments {
  readonly param: Tensor;
  readonly grad: Tensor;
  /** First and second moments. */
  readonly m: Tensor;
  readonly v: Tensor;
  /** [], what the gradient is multiplied with: clipping. */
  readonly gradScale: Tensor;
  /** [] */
  readonly learningRate: Tensor;
  /** int32 [], 1 for the first step. */
  readonly step: Tensor;
  /** int32 [], 0 leaves everything as it is, whatever the gradient. */
  readonly counts: Tensor;
}

/** AdamW with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2, with the decay scaled by the learning rate as PyTorch does). */
export const adamwOp: Primitive<AdamWSettings> = {
  kind: 'primitive',
  name: 'adamw',
  hides: () => [{ numbers: 'all', why: 'a step that does not count changes nothing' }],
  mutates: [0, 2, 3],
  infer([param, grad, m, v, ...scalars]) {
    const arrays = { grad, m, v };
    for (const [name, array] of Object.entries(arrays))
      checkShape('adamw', name, "the parameter's shape", param!.shape, array!.shape);
    const [gradScale, learningRate, step, counts] = scalars;
    checkScalar('adamw', 'gradScale', 'float32', gradScale!);
    checkScalar('adamw', 'learningRate', 'float32', learningRate!);
    checkScalar('adamw', 'step', 'int32', step!);
    checkScalar('adamw', 'counts', 'int32', counts!);
    return [];
  },
  evaluate(inputs, _outputs, settings) {
    const [param, grad, m, v, gradScale, learningRate, step, counts] = inputs.map(({ data }) => data) as [
      ...Dense['data'][],
    ];
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
    }
  },
};

/** Updates param, m and v in place. */
export function adamw(given: AdamWArguments, settings: AdamWSettings): void {
  const { param, grad, m, v, gradScale, learningRate, step, counts } = given;
  apply(adamwOp, [param, grad, m, v, gradScale, learningRate, step, counts], settings);
}

/** `adamw`, and an average that takes up the new weights, in one pass over memory. Inputs: those of adamw, average, weight []. */
export const adamwAverageOp: Fused<AdamWSettings> = {
  kind: 'fused',
  name: 'adamwAverage',
  hides: () => [{ numbers: 'all', why: 'a step that does not count changes nothing' }],
  mutates: [0, 2, 3, 8],
  infer([...inputs], settings) {
    const [average, weight] = inputs.splice(8);
    adamwOp.infer(inputs, settings);
    lerpAssignOp.infer([average!, inputs[0]!, weight!, inputs[7]!], {});
    return [];
  },
  decompose([...inputs], settings) {
    const [average, weight] = inputs.splice(8);
    apply(adamwOp, inputs, settings);
    lerpAssign(average!, inputs[0]!, weight!, inputs[7]!);
    return [];
  },
  fusions: () => [
    {
      producer: adamwOp,
      consumer: lerpAssignOp,
      join(update, { inputs: [average, value, weight, counts] }) {
        if (value !== update.inputs[0] || counts !== update.inputs[7]) return undefined;
        const attributes = update.attributes as AdamWSettings;
        return { inputs: [...update.inputs, average!, weight!], outputs: [], attributes };
      },
    },
  ],
};
