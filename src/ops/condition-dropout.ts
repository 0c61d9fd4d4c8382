import { isFloat, isHalf } from '../tensor/dtype.ts';
import { dtypeError, valueError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { constant } from './constant.ts';
import { sub } from './elementwise.ts';
import { type Primitive, apply1, checkShape } from './op.ts';
import { sum } from './sum.ts';

type ConditionDropout = { probability: number };

/**
 * Replaces a sample's condition by the one that stands for none, where the sample's u < probability: what makes
 * classifier-free guidance possible (Ho & Salimans 2022).
 */
export const conditionDropoutOp: Primitive<ConditionDropout> = {
  kind: 'primitive',
  name: 'conditionDropout',
  hides: () => [
    { inputs: [0], numbers: 'all', why: 'what is dropped is not read' },
    { inputs: [1], numbers: 'all', why: 'it is compared' },
    { inputs: [2], numbers: 'all', why: 'it is not read where nothing is dropped' },
  ],
  infer([values, u, absent], { probability }) {
    const { shape, dtype } = values!;
    if (isHalf(dtype)) throw dtypeError('conditionDropout', 'values', 'int32 or float32', dtype);
    checkShape('conditionDropout', 'u', '[B]', shape.slice(0, 1), u!.shape);
    checkShape('conditionDropout', 'absent', "one sample's shape", shape.slice(1), absent!.shape);
    if (absent!.dtype !== dtype) throw dtypeError('conditionDropout', 'absent', dtype, absent!.dtype);
    if (!(probability >= 0 && probability <= 1)) {
      throw valueError('conditionDropout', 'probability', 'in [0, 1]', probability);
    }
    return [{ shape, dtype }];
  },
  evaluate([values, u, absent], [y], { probability }) {
    y!.data.set(values!.data);
    u!.data.forEach((number, sample) => {
      if (number < probability) y!.data.set(absent!.data, sample * absent!.data.length);
    });
  },
  vjp({ inputs: [values, u, absent], attributes: { probability }, grads: [g] }) {
    if (!isFloat(values!.dtype)) return [];
    const zeros = constant(g!, absent!.shape, new Float64Array(sizeOf(absent!.shape)));
    const kept = conditionDropout(g!, u!, zeros, probability);
    return [kept, undefined, sum(sub(g!, kept), [0])];
  },
};

/**
 * @param values [B, ...S], int32 or float32
 * @param u uniform numbers [B]
 * @param absent the condition that stands for none [...S], of the same dtype
 * @returns [B, ...S]
 */
export function conditionDropout(values: Tensor, u: Tensor, absent: Tensor, probability: number): Tensor {
  return apply1(conditionDropoutOp, [values, u, absent], { probability });
}
