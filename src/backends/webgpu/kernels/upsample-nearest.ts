import type { Kernel } from '../dispatch.ts';
import { items, reading } from '../items.ts';

/** Rows of all images and channels are counted together: heights are whole factors. */
const upsampleNearest: Kernel = ({ inputs, outputs, attributes }) => {
  const output = outputs[0]!;
  const value = 'return x0(i / u.width / u.factor * (u.width / u.factor) + i % u.width / u.factor);';
  const sizes = { width: output.shape[3]!, factor: attributes['factor'] as number };
  return [items({ reads: reading(inputs), output, value, sizes })];
};

const upsampleNearestGrad: Kernel = ({ inputs, outputs, attributes }) => {
  const output = outputs[0]!;
  const value = `let first = (i / u.width * u.factor * u.width + i % u.width) * u.factor;
  var total = 0.0f;
  for (var p = 0u; p < u.factor; p++) {
    for (var q = 0u; q < u.factor; q++) { total += x0(first + p * u.width * u.factor + q); }
  }
  return total;`;
  const sizes = { width: output.shape[3]!, factor: attributes['factor'] as number };
  return [items({ reads: reading(inputs), output, value, sizes })];
};

export const upsampleNearestKernels: Readonly<Record<string, Kernel>> = {
  upsampleNearest,
  upsampleNearestGrad,
};
