// Elementary functions of four numbers. The exponential is 2^n p(r) with r in [-ln 2 / 2, ln 2 / 2] and the polynomial of Cephes' expf;
// where a result would not be a normal number, the scale is applied in two steps.

const log2e: f32 = Math.LOG2E as f32;
const ln2High: f32 = 0.693359375;
const ln2Low: f32 = -2.1219444e-4;
const cubic: f32 = 0.044715;
const slope: f32 = 0.7978845608028654;

/** 2^n of whole numbers from -126 to 127. */
function power2(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23);
}

export function exp4(x: v128): v128 {
  // Minimum and maximum pass NaN on.
  const bounded = f32x4.max(f32x4.min(x, f32x4.splat(89)), f32x4.splat(-105));
  const n = f32x4.nearest(f32x4.mul(bounded, f32x4.splat(log2e)));
  let r = f32x4.sub(bounded, f32x4.mul(n, f32x4.splat(ln2High)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(ln2Low)));
  let p = f32x4.splat(1.98756915e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1));
  const whole = i32x4.trunc_sat_f32x4_s(n);
  const half = i32x4.shr_s(whole, 1);
  return f32x4.mul(f32x4.mul(p, power2(half)), power2(i32x4.sub(whole, half)));
}

export function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}

/** GELU in its tanh form: x (1 + tanh u) / 2 = x sigmoid(2 u), u = slope (x + cubic x^3). */
function gelu4(x: v128): v128 {
  const inner = f32x4.add(f32x4.mul(f32x4.mul(x, x), f32x4.splat(cubic)), f32x4.splat(1));
  return f32x4.mul(x, sigmoid4(f32x4.mul(f32x4.mul(x, inner), f32x4.splat(2 * slope))));
}

function geluDerivative4(x: v128): v128 {
  const one = f32x4.splat(1);
  const square = f32x4.mul(x, x);
  const inner = f32x4.add(f32x4.mul(square, f32x4.splat(cubic)), one);
  const s = sigmoid4(f32x4.mul(f32x4.mul(x, inner), f32x4.splat(2 * slope)));
  const du = f32x4.add(f32x4.mul(square, f32x4.splat(6 * cubic * slope)), f32x4.splat(2 * slope));
  return f32x4.add(s, f32x4.mul(f32x4.mul(x, f32x4.mul(s, f32x4.sub(one, s))), du));
}

function siluDerivative4(x: v128): v128 {
  const one = f32x4.splat(1);
  const s = sigmoid4(x);
  return f32x4.mul(s, f32x4.add(f32x4.mul(x, f32x4.sub(one, s)), one));
}

/** An activation by its number in src/ops/activations.ts. */
export function activate4(x: v128, activation: i32): v128 {
  if (activation == 1) return gelu4(x);
  if (activation == 2) return f32x4.mul(x, sigmoid4(x));
  if (activation == 3) return f32x4.max(x, f32x4.splat(0));
  return x;
}

/** Its derivative. */
export function derivative4(x: v128, activation: i32): v128 {
  if (activation == 1) return geluDerivative4(x);
  if (activation == 2) return siluDerivative4(x);
  const one = f32x4.splat(1);
  if (activation == 3) return v128.and(f32x4.gt(x, f32x4.splat(0)), one);
  return one;
}

/** Of a number above 0: of its mantissa m, 2 artanh((m - 1) / (m + 1)) with m in [sqrt(1/2), sqrt(2)]. */
export function log(x: f64): f64 {
  if (!(x < Infinity)) return x;
  const bits = reinterpret<u64>(x);
  let exponent = ((bits >> 52) as i32) - 1023;
  let m = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000);
  if (m > Math.SQRT2) {
    m *= 0.5;
    exponent++;
  }
  const s = (m - 1) / (m + 1);
  const square = s * s;
  let sum: f64 = 1.0 / 15;
  for (let k = 13; k > 0; k -= 2) sum = sum * square + 1.0 / (k as f64);
  return 2 * s * sum + (exponent as f64) * Math.LN2;
}
