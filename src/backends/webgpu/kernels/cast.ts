import { isFloat } from '../../../tensor/dtype.ts';
import type { Kernel } from '../dispatch.ts';
import { items, reading } from '../items.ts';

const cast: Kernel = ({ inputs, outputs }) => {
  const type = isFloat(outputs[0]!.dtype) ? 'f32' : 'i32';
  return [items({ reads: reading(inputs), output: outputs[0]!, value: `return ${type}(x0(i));` })];
};

const roundToFloat16: Kernel = ({ inputs, outputs }) => [
  items({
    reads: reading(inputs),
    output: outputs[0]!,
    value: 'return roundToFloat16(x0(i));',
  }),
];

export const castKernels: Readonly<Record<string, Kernel>> = { cast, roundToFloat16 };
