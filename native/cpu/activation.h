// GELU (tanh form, Hendrycks & Gimpel 2016) and SiLU on vectors, alone and with their derivatives.
//
// 0.5 x (1 + tanh u) equals x sigmoid(2u), so both activations are x times a sigmoid and share one exponential.
#pragma once
#include "simd.h"

namespace rectiflow {
namespace RF_NS {

// 2u = 2 sqrt(2/pi) (x + 0.044715 x^3)
constexpr float kGeluLinear = 1.5957691216f;
constexpr float kGeluCubic = kGeluLinear * 0.044715f;

// Beyond 10 the sigmoid is 0 or 1 in float32, while 2u would run into denormals and then overflow.
static RF_INLINE vf geluClamp(vf x) { return vmin(vmax(x, splat(-10.f)), splat(10.f)); }

static RF_INLINE vf gelu(vf x) {
  const vf c = geluClamp(x);
  return x / (1.f + vexp(-c * (kGeluCubic * (c * c) + kGeluLinear)));
}

static RF_INLINE void geluWithDerivative(vf x, vf* y, vf* dydx) {
  const vf c = geluClamp(x);
  const vf square = c * c;
  const vf e = vexp(-c * (kGeluCubic * square + kGeluLinear));
  const vf s = 1.f / (1.f + e);
  *y = x * s;
  *dydx = s + x * ((e * s) * s) * (3.f * kGeluCubic * square + kGeluLinear);
}

static RF_INLINE vf silu(vf x) { return x / (1.f + vexp(-x)); }

static RF_INLINE void siluWithDerivative(vf x, vf* y, vf* dydx) {
  const vf e = vexp(-x);
  const vf s = 1.f / (1.f + e);
  *y = x * s;
  *dydx = s + x * ((e * s) * s);
}

}  // namespace RF_NS
}  // namespace rectiflow
