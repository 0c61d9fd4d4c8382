import { type DType, isHalf } from '../../../tensor/dtype.ts';

/** An expression of what is left of a number in memory of a type: itself in float32. */
export function storedAs(dtype: DType, number: string): string {
  if (!isHalf(dtype)) return number;
  return `${{ bfloat16: 'roundToBfloat16', float16: 'roundToFloat16' }[dtype]}(${number})`;
}

/**
 * Numbers of two bytes, in pairs: the first of two elements is the lower half of a word. Rounded to the nearest, ties to even; NaN stays NaN.
 *
 * float16 is converted by whole numbers, too, and not by WGSL's `pack2x16float`: that may round either way, need not give infinity for what
 * is too large, and may take subnormal numbers for 0. Loss scaling counts on all three.
 */
export const halves: readonly string[] = [
  `fn unpackBfloat16(w: u32) -> vec2f { return vec2f(bitcast<f32>(w << 16u), bitcast<f32>(w & 0xffff0000u)); }`,
  `fn bfloat16At(w: u32, upper: u32) -> f32 { return bitcast<f32>(select(w << 16u, w & 0xffff0000u, upper == 1u)); }`,
  `fn bfloat16Bits(x: f32) -> u32 {
  let b = bitcast<u32>(x);
  if ((b & 0x7fffffffu) > 0x7f800000u) { return (b >> 16u) | 0x40u; }
  return (b + 0x7fffu + ((b >> 16u) & 1u)) >> 16u;
}
fn roundToBfloat16(x: f32) -> f32 { return bitcast<f32>(bfloat16Bits(x) << 16u); }
fn packBfloat16(v: vec2f) -> u32 { return bfloat16Bits(v.x) | (bfloat16Bits(v.y) << 16u); }`,
  // The exponent's bias changes from 15 to 127; that of infinity and NaN, 31, becomes 255. Below 2^-14 steps are 2^-24.
  `fn float16Number(h: u32) -> f32 {
  let m = h & 0x7fffu;
  let normal = (m << 13u) + select(0x38000000u, 0x70000000u, m >= 0x7c00u);
  let b = select(normal, bitcast<u32>(f32(m) * 5.9604644775390625e-8f), m < 0x400u);
  return bitcast<f32>(b | ((h & 0x8000u) << 16u));
}`,
  `fn unpackFloat16(w: u32) -> vec2f { return vec2f(float16Number(w & 0xffffu), float16Number(w >> 16u)); }`,
  `fn float16At(w: u32, upper: u32) -> f32 { return float16Number((w >> (16u * upper)) & 0xffffu); }`,
  // From half a step above the largest on, 65520, it is infinity. A fraction that rounds up to 1 carries into the exponent, as it should.
  `fn float16Bits(x: f32) -> u32 {
  let b = bitcast<u32>(x);
  let m = b & 0x7fffffffu;
  let sign = (b >> 16u) & 0x8000u;
  if (m >= 0x477ff000u) { return sign | select(0x7c00u, 0x7e00u, m > 0x7f800000u); }
  if (m >= 0x38800000u) { return sign | ((m - 0x38000000u + 0xfffu + ((m >> 13u) & 1u)) >> 13u); }
  // Below 2^-14 in steps of 2^-24: what is less than a quarter of one is 0 as a quarter is.
  let shift = min(126u - (m >> 23u), 25u);
  let whole = (m & 0x7fffffu) | 0x800000u;
  return sign | ((whole + (1u << (shift - 1u)) - 1u + ((whole >> shift) & 1u)) >> shift);
}
fn packFloat16(v: vec2f) -> u32 { return float16Bits(v.x) | (float16Bits(v.y) << 16u); }`,
  `fn roundToFloat16(x: f32) -> f32 { return float16Number(float16Bits(x)); }`,
];
