// GELU (tanh form, Hendrycks & Gimpel 2016) and SiLU on vectors, alone and with their derivatives.
//
// 0.5 x (1 + tanh u) equals x sigmoid(2u), so both activations are x times a sigmoid and share one exponential.
#pragma once
#include "simd.h"

namespace rectiflow {
namespace RF_NS {

// exp of |x| <= 87.33, where 2^n is a normal number: vexp without its guards. NaN gives an arbitrary number.
static RF_INLINE vf expWithinRange(vf x) {
  const vf rounded = (x * 1.44269504f + 12582912.f) - 12582912.f;  // nearest integer
  const vf r = (x - rounded * 0.693359375f) - rounded * -2.12194440e-4f;
  vf p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.f;
  return (vf)((vi)p + (__builtin_convertvector(rounded, vi) << 23));
}

static RF_INLINE vf clamp(vf x, float bound) { return vmin(vmax(x, splat(-bound)), splat(bound)); }

// 2u = 2 sqrt(2/pi) (x + 0.044715 x^3). Beyond 10 the sigmoid is 0 or 1 in float32, while 2u would leave exp's range.
constexpr float kGeluLinear = 1.5957691216f;
constexpr float kGeluCubic = kGeluLinear * 0.044715f;
constexpr float kGeluBound = 10.f;

static RF_INLINE vf gelu(vf x) {
  const vf c = clamp(x, kGeluBound);
  return x / (1.f + expWithinRange(c * (c * c * -kGeluCubic - kGeluLinear)));
}

static RF_INLINE void geluWithDerivative(vf x, vf* y, vf* dydx) {
  const vf c = clamp(x, kGeluBound);
  const vf square = c * c;
  const vf e = expWithinRange(c * (square * -kGeluCubic - kGeluLinear));
  const vf s = 1.f / (1.f + e);
  *y = x * s;
  *dydx = s + x * ((e * s) * s) * (square * (3.f * kGeluCubic) + kGeluLinear);
}

constexpr float kSiluBound = 87.f;

static RF_INLINE vf silu(vf x) { return x / (1.f + expWithinRange(-clamp(x, kSiluBound))); }

static RF_INLINE void siluWithDerivative(vf x, vf* y, vf* dydx) {
  const vf e = expWithinRange(-clamp(x, kSiluBound));
  const vf s = 1.f / (1.f + e);
  *y = x * s;
  *dydx = s + x * ((e * s) * s);
}

}  // namespace RF_NS
}  // namespace rectiflow
