/** bfloat16 in pairs: the first of two elements is the lower half of a word. Rounded to the nearest, ties to even; NaN stays NaN. */
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
];
