import { dtypeError, valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply1, checkShape } from './op.ts';

type LabelDropout = { probability: number; nullLabel: number };

/** Replaces labels by the null label where u < probability: what makes classifier-free guidance possible (Ho & Salimans 2022). */
export const labelDropoutOp: Primitive<LabelDropout> = {
  kind: 'primitive',
  name: 'labelDropout',
  infer([labels, u], { probability }) {
    if (labels!.dtype !== 'int32') throw dtypeError('labelDropout', 'labels', 'int32', labels!.dtype);
    checkShape('labelDropout', 'u', '[B]', labels!.shape, u!.shape);
    if (!(probability >= 0 && probability <= 1)) {
      throw valueError('labelDropout', 'probability', 'in [0, 1]', probability);
    }
    return [{ shape: labels!.shape, dtype: 'int32' }];
  },
  evaluate([labels, u], [y], { probability, nullLabel }) {
    labels!.data.forEach((label, i) => {
      y!.data[i] = u!.data[i]! < probability ? nullLabel : label;
    });
  },
  vjp: () => [],
};

/** @param labels int32 [B] @param u uniform numbers [B] */
export function labelDropout(labels: Tensor, u: Tensor, probability: number, nullLabel: number): Tensor {
  return apply1(labelDropoutOp, [labels, u], { probability, nullLabel });
}
