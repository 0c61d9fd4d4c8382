// What tells samples apart: conditions that are dropped, and lengths of sequences.
import { sizeOf } from '../../../tensor/shape.ts';
import type { Kernel } from '../dispatch.ts';
import { items, reading } from '../items.ts';

const conditionDropout: Kernel = ({ inputs, outputs, attributes }) => {
  const width = sizeOf(inputs[2]!.shape);
  const value = 'if (x1(i / u.width) < u.probability) { return x2(i % u.width); } return x0(i);';
  const numbers = { probability: attributes['probability'] as number };
  return [items({ reads: reading(inputs), output: outputs[0]!, value, sizes: { width }, numbers })];
};

const lengthMask: Kernel = ({ inputs, outputs, attributes }) => {
  const value = 'return select(0.0f, 1.0f, i32(i % u.size) < x0(i / u.size));';
  const sizes = { size: attributes['size'] as number };
  return [items({ reads: reading(inputs), output: outputs[0]!, value, sizes })];
};

export const conditionKernels: Readonly<Record<string, Kernel>> = { conditionDropout, lengthMask };
