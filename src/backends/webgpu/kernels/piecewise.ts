import type { Kernel } from '../dispatch.ts';
import { items, reading } from '../items.ts';
import { unary } from './elementwise.ts';

const clamp: Kernel = ({ inputs, outputs, attributes }) => {
  const { least, most } = attributes as { least: number; most: number };
  // Not WGSL's own clamp, which may take NaN for a number.
  const value = 'let x = x0(i); return select(clamp(x, u.least, u.most), x, isNaN_(x));';
  return [items({ reads: reading(inputs), output: outputs[0]!, value, numbers: { least, most } })];
};

export const piecewiseKernels: Readonly<Record<string, Kernel>> = { abs: unary('abs(x)'), clamp };
