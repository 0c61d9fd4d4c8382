/** Philox 4x32-10 and what src/tensor/philox.ts makes of its words, without numbers of 64 bits. */
export const philox: readonly string[] = [
  `fn philox4x32(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0; round < 10; round++) {
    let high = vec2u(multiplyHigh(0xd2511f53u, c.x), multiplyHigh(0xcd9e8d57u, c.z));
    c = vec4u(high.y ^ c.y ^ k.x, 0xcd9e8d57u * c.z, high.x ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}`,
  `fn uniformOf(word: u32) -> f32 { return min(f32(word >> 8u) + 0.5f, 16777215.0f) * 5.9604644775390625e-8f; }`,
  // Near 1 by what is left to 1, which is exact, where the uniform number itself is rounded.
  `fn logOfUniform(word: u32) -> f32 {
  let left = (f32(16777215u - (word >> 8u)) + 0.5f) * 5.9604644775390625e-8f;
  if (left < 0.25f) { let r = -max(left, 5.9604644775390625e-8f); return r + logRest(r); }
  return log_(uniformOf(word));
}
// The angle 2 pi u in quarters of a turn: u, in units of 2^-25, is an odd number, and quarters are counted without rounding.
fn boxMuller(word0: u32, word1: u32) -> vec2f {
  let radius = sqrt(-2.0f * logOfUniform(word0));
  let u = min(2u * (word1 >> 8u) + 1u, 0x1fffffeu);
  let q = (u + 0x400000u) >> 23u;
  let r = f32(bitcast<i32>(u - (q << 23u))) * 1.1920928955078125e-7f * 1.5707963267948966f;
  return radius * quarterTurns(q, r);
}`,
];
