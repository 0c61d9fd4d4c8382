/**
 * Functions that WGSL has, too, but not as exact and not with the NaN that ops want: a device's log may be off by 2^-21 near 1, its sin and
 * cos by 2^-11, its tanh is NaN for large numbers on some, and a compiler may assume that there is no NaN. So NaN and infinity are told by
 * bits, and functions are polynomials behind a reduction that no rounding touches. Coefficients: S. Moshier, Cephes.
 */
export const numbers: readonly string[] = [
  `fn isFinite_(x: f32) -> bool { return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u; }
fn isNaN_(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }`,
  `fn sqrt_(x: f32) -> f32 { return select(sqrt(x), x, isNaN_(x)); }`,
  // Private variables are no constants: nothing is folded.
  `var<private> nanBits: u32 = 0x7fc00000u;
var<private> infinityBits: u32 = 0x7f800000u;
fn nan_() -> f32 { return bitcast<f32>(nanBits); }
fn infinity_() -> f32 { return bitcast<f32>(infinityBits); }`,
  // 2^n is made of bits, in two factors so that neither is beyond the numbers that there are. Without branches: programs take each of them
  // for some invocation.
  `fn power2(n: i32) -> f32 { return bitcast<f32>(u32(n + 127) << 23u); }
fn exp_(x: f32) -> f32 {
  let y = clamp(x, -104.0f, 89.0f);
  let n = floor(y * 1.44269504f + 0.5f);
  let r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
  let p = ((((1.9875691500e-4f * r + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r + 4.1665795894e-2f) * r + 1.6666665459e-1f) * r + 0.5f;
  let half = i32(n) / 2;
  let power = ((p * r * r + r) + 1.0f) * power2(half) * power2(i32(n) - half);
  return select(select(select(power, 0.0f, x < -103.0f), infinity_(), x > 88.8f), x, isNaN_(x));
}`,
  `fn expm1_(x: f32) -> f32 {
  if (abs(x) >= 0.35f || isNaN_(x)) { return exp_(x) - 1.0f; }
  return x * (1.0f + x * (0.5f + x * (0.16666667f + x * (0.041666668f + x * (0.008333334f + x * (0.0013888889f + x * 0.0001984127f))))));
}`,
  // What log(1 + r) is beside r, for r of [sqrt(1/2) - 1, sqrt(2) - 1].
  `fn logRest(r: f32) -> f32 {
  let z = r * r;
  return ((((((((7.0376836292e-2f * r - 1.1514610310e-1f) * r + 1.1676998740e-1f) * r - 1.2420140846e-1f) * r + 1.4249322787e-1f) * r - 1.6668057665e-1f) * r + 2.0000714765e-1f) * r - 2.4999993993e-1f) * r + 3.3333331174e-1f) * r * z - 0.5f * z;
}
fn log_(x: f32) -> f32 {
  if (isNaN_(x) || x < 0.0f) { return nan_(); }
  if (!isFinite_(x)) { return x; }
  if (x == 0.0f) { return -infinity_(); }
  // What is below the normal numbers is brought there first.
  let isSmall = x < 1.17549435e-38f;
  let bits = bitcast<u32>(select(x, x * 16777216.0f, isSmall));
  var e = i32(bits >> 23u) - 126 - select(0, 24, isSmall);
  var m = bitcast<f32>((bits & 0x007fffffu) | 0x3f000000u);
  if (m < 0.70710678f) { e -= 1; m += m; }
  let r = m - 1.0f;
  return r + (logRest(r) - 2.12194440e-4f * f32(e)) + 0.693359375f * f32(e);
}`,
  // Near 1 by what is left to 1: derivatives of activations ask for the last digit.
  `fn tanh_(x: f32) -> f32 {
  if (isNaN_(x)) { return x; }
  let a = min(abs(x), 20.0f);
  let e = expm1_(2.0f * a);
  return sign(x) * select(e / (e + 2.0f), 1.0f - 2.0f / (e + 2.0f), a > 0.55f);
}`,
  `fn sigmoid_(x: f32) -> f32 {
  if (isNaN_(x)) { return x; }
  // Of a negative number e^x is small, and nothing overflows.
  let e = exp_(-abs(x));
  return select(e, 1.0f, x >= 0.0f) / (1.0f + e);
}`,
  // 1 + tanh(z) as what it is of e^-2|z|: one exponential, and no digit is lost where the sum is near 0.
  `struct GeluGate { e: f32, share: f32 }
fn geluGate(x: f32) -> GeluGate {
  let z = 0.7978845608f * (x + 0.044715f * x * x * x);
  let e = exp_(-2.0f * abs(z));
  return GeluGate(e, select(e, 1.0f, z >= 0.0f) / (1.0f + e));
}
fn gelu_(x: f32) -> f32 { return x * geluGate(x).share; }
fn geluDerivative_(x: f32) -> f32 {
  let gate = geluGate(x);
  return gate.share + 2.0f * x * gate.e / ((1.0f + gate.e) * (1.0f + gate.e)) * (0.7978845608f + 0.1070322243f * x * x);
}`,
  `fn silu_(x: f32) -> f32 { return x * sigmoid_(x); }
fn siluDerivative_(x: f32) -> f32 { let s = sigmoid_(x); return s * (1.0f + x * (1.0f - s)); }`,
  `fn relu_(x: f32) -> f32 { return select(0.0f, x, x > 0.0f || isNaN_(x)); }
fn reluDerivative_(x: f32) -> f32 { return select(0.0f, 1.0f, x > 0.0f); }`,
  // The upper half of a product, of halves of 16 bits.
  `fn multiplyHigh(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u; let bl = b & 0xffffu; let bh = b >> 16u;
  let first = ah * bl + ((al * bl) >> 16u);
  let second = al * bh + (first & 0xffffu);
  return ah * bh + (first >> 16u) + (second >> 16u);
}`,
  // (cos, sin) of so many quarters of a turn and r more, |r| <= pi / 4.
  `fn quarterTurns(q: u32, r: f32) -> vec2f {
  let z = r * r;
  let s = r + r * z * (-1.6666654611e-1f + z * (8.3321608736e-3f - z * 1.9515295891e-4f));
  let c = 1.0f - 0.5f * z + z * z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f));
  switch (q & 3u) { case 0u: { return vec2f(c, s); } case 1u: { return vec2f(-s, c); } case 2u: { return vec2f(-c, -s); } default: { return vec2f(s, -c); } }
}`,
  // x 2/pi in fixed point, where no compiler reorders anything: m 2^(e - 23) times 0xa2f9836e4e441529 2^-64, of 88 bits in three words.
  `fn cosSin(x: f32) -> vec2f {
  if (!isFinite_(x)) { return vec2f(nan_()); }
  let bits = bitcast<u32>(abs(x));
  let e = i32(bits >> 23u) - 127;
  var q = 0u;
  var r = abs(x);
  if (e >= -1) {
    let m = (bits & 0x7fffffu) | 0x800000u;
    let h0 = multiplyHigh(m, 0x4e441529u);
    let l1 = m * 0xa2f9836eu;
    let w1 = l1 + h0;
    let w2 = multiplyHigh(m, 0xa2f9836eu) + select(0u, 1u, w1 < l1);
    // So many bits of w2, from its 24th on, are whole quarters.
    let s = u32(min(e, 22) + 9);
    let rest = (w2 << s) | (w1 >> (32u - s));
    q = (w2 >> (32u - s)) + (rest >> 31u);
    r = f32(bitcast<i32>(rest)) * 2.3283064365386963e-10f * 1.5707963267948966f;
  }
  let cs = quarterTurns(q, r);
  return vec2f(cs.x, select(cs.y, -cs.y, x < 0.0f));
}`,
];
