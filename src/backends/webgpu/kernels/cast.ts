import { isFloat } from '../../../tensor/dtype.ts';
import type { Kernel } from '../dispatch.ts';
import { items, reading } from '../items.ts';

const cast: Kernel = ({ inputs, outputs }) => {
  const type = isFloat(outputs[0]!.dtype) ? 'f32' : 'i32';
  return [items({ reads: reading(inputs), output: outputs[0]!, value: `return ${type}(x0(i));` })];
};

/** Rounded as whole numbers of a step: 2^-24 below 2^-14, else the tenth place behind the leading one. Halves go to the even one. */
const nearest = `fn nearestFloat16(x: f32) -> f32 {
  let magnitude = abs(x);
  if (isNaN_(x)) { return x; }
  let bits = bitcast<u32>(magnitude);
  var rounded = bitcast<f32>((bits + 0xfffu + ((bits >> 13u) & 1u)) & 0xffffe000u);
  if (magnitude >= 65520.0f) { rounded = infinity_(); }
  if (magnitude < 6.103515625e-5f) { rounded = evenly(magnitude * 16777216.0f) * 5.9604644775390625e-8f; }
  // Also of zero.
  return bitcast<f32>(bitcast<u32>(rounded) | (bitcast<u32>(x) & 0x80000000u));
}
fn evenly(x: f32) -> f32 {
  let below = floor(x);
  let rest = x - below;
  let isOdd = (u32(below) & 1u) == 1u;
  return select(below, below + 1.0f, rest > 0.5f || (rest == 0.5f && isOdd));
}`;

const roundToFloat16: Kernel = ({ inputs, outputs }) => [
  items({
    reads: reading(inputs),
    output: outputs[0]!,
    value: 'return nearestFloat16(x0(i));',
    functions: nearest,
  }),
];

export const castKernels: Readonly<Record<string, Kernel>> = { cast, roundToFloat16 };
