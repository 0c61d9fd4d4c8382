import { dtypeError, valueError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply1, checkShape } from './op.ts';

type ConditionDropout = { probability: number; absent: readonly number[] };

/**
 * Replaces a sample's condition by the one that stands for none, where the sample's u < probability: what makes
 * classifier-free guidance possible (Ho & Salimans 2022).
 */
export const conditionDropoutOp: Primitive<ConditionDropout> = {
  kind: 'primitive',
  name: 'conditionDropout',
  infer([values, u], { probability, absent }) {
    const { shape, dtype } = values!;
    if (dtype === 'bfloat16') throw dtypeError('conditionDropout', 'values', 'int32 or float32', dtype);
    checkShape('conditionDropout', 'u', '[B]', shape.slice(0, 1), u!.shape);
    if (!(probability >= 0 && probability <= 1)) {
      throw valueError('conditionDropout', 'probability', 'in [0, 1]', probability);
    }
    const size = sizeOf(shape.slice(1));
    if (absent.length !== size) {
      throw valueError('conditionDropout', 'absent', `${size} numbers, one sample's size`, absent.length);
    }
    return [{ shape, dtype }];
  },
  evaluate([values, u], [y], { probability, absent }) {
    y!.data.set(values!.data);
    u!.data.forEach((number, sample) => {
      if (number < probability) y!.data.set(absent, sample * absent.length);
    });
  },
  vjp({ inputs: [values, u], attributes: { probability, absent }, grads: [g] }) {
    if (values!.dtype === 'int32') return [];
    return [conditionDropout(g!, u!, probability, new Array<number>(absent.length).fill(0))];
  },
};

/**
 * @param values [B, ...S], int32 or float32
 * @param u uniform numbers [B]
 * @param absent the condition that stands for none, as many numbers as S has
 * @returns [B, ...S]
 */
export function conditionDropout(
  values: Tensor,
  u: Tensor,
  probability: number,
  absent: readonly number[],
): Tensor {
  return apply1(conditionDropoutOp, [values, u], { probability, absent });
}
