import { dtypeError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply, checkShape } from './op.ts';

type Sums = { readonly sums: number };

/**
 * Adds up what several runs make over a binary tree, as a counter carries: sums of fewer terms are taken into what is added, and that
 * is put in the place of a sum of more. x = value; x = sum + x for each sum that is taken, in order; the sum `into` = x.
 *
 * Inputs: value; taken [sums], other than 0 for those that are; into int32 [], the index of a sum; the sums, each of the value's shape.
 */
export const accumulateTreeOp: Primitive<Sums> = {
  kind: 'primitive',
  name: 'accumulateTree',
  hides: ({ sums }) => [
    { inputs: [1, 2], numbers: 'all', why: 'they tell which sums are taken and made' },
    { inputs: sumsOf(sums), numbers: 'all', why: 'a sum that is not taken counts nothing' },
  ],
  mutates: (inputs) => sumsOf(inputs - 3),
  infer([value, taken, made, ...sums]) {
    const flags = { taken: taken!, made: made! };
    for (const [name, { shape }] of Object.entries(flags))
      checkShape('accumulateTree', name, '[sums]', [sums.length], shape);
    for (const sum of sums)
      checkShape('accumulateTree', 'a sum', "the value's shape", value!.shape, sum.shape);
    const floats = {
      value: value!,
      ...flags,
      ...Object.fromEntries(sums.map((sum, i) => [`sum ${i}`, sum])),
    };
    for (const [name, { dtype }] of Object.entries(floats))
      if (dtype !== 'float32') throw dtypeError('accumulateTree', name, 'float32', dtype);
    return [];
  },
  evaluate([value, taken, made, ...sums]) {
    const added = value!.data.slice();
    for (const [i, { data }] of sums.entries()) {
      if (taken!.data[i] === 0) continue;
      for (let j = 0; j < added.length; j++) added[j] = data[j]! + added[j]!;
    }
    for (const [i, { data }] of sums.entries()) if (made!.data[i] !== 0) data.set(added);
  },
};

function sumsOf(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 3 + i);
}

/**
 * @param sums state of the program: those of the fewest terms first
 * @param value of their shape
 * @param taken [sums], other than 0 for those that are added to it
 * @param made [sums], other than 0 for those that become what this makes; the others stay as they are
 */
export function accumulateTree(sums: readonly Tensor[], value: Tensor, taken: Tensor, made: Tensor): void {
  apply(accumulateTreeOp, [value, taken, made, ...sums], { sums: sums.length });
}
