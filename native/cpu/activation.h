// GELU (tanh form, Hendrycks & Gimpel 2016) and SiLU on vectors, alone and with their derivatives.
//
// 0.5 x (1 + tanh u) equals x sigmoid(2u), so both activations are x times a sigmoid and share one exponential. Where the sigmoid
// is 0 or 1 in float32 its argument is held back, so that the exponential stays a normal number. Coarse activations are for
// numbers that come from bf16 and go to bf16: right to 2e-4, and two thirds of the work.
#pragma once
#include "exp2.h"

namespace rectiflow {
namespace RF_NS {

static RF_INLINE vf clamp(vf x, float bound) { return vmin(vmax(x, splat(-bound)), splat(bound)); }

constexpr float kLog2OfE = 1.44269504f;
// 2u = 2 sqrt(2/pi) (x + 0.044715 x^3)
constexpr float kGeluLinear = 1.5957691216f;
constexpr float kGeluCubic = kGeluLinear * 0.044715f;
constexpr float kGeluBound = 10.f;
constexpr float kSiluBound = 87.f;

// y = x s and dy/dx = s + x s (1 - s) slope, with s = 1 / (1 + 2^exponent).
template <bool coarse>
static RF_INLINE void sigmoidUnit(vf x, vf exponent, vf slope, vf* y, vf* dydx) {
  const vf s = vreciprocalFor<coarse>(1.f + vexp2For<coarse>(exponent));
  *y = x * s;
  *dydx = s + (*y - *y * s) * slope;
}

template <bool coarse = false>
static RF_INLINE void geluWithDerivative(vf x, vf* y, vf* dydx) {
  const vf c = clamp(x, kGeluBound);
  const vf square = c * c;
  const vf exponent = c * (square * (-kLog2OfE * kGeluCubic) - kLog2OfE * kGeluLinear);
  sigmoidUnit<coarse>(x, exponent, square * (3.f * kGeluCubic) + kGeluLinear, y, dydx);
}

template <bool coarse = false>
static RF_INLINE void siluWithDerivative(vf x, vf* y, vf* dydx) {
  sigmoidUnit<coarse>(x, clamp(x, kSiluBound) * -kLog2OfE, splat(1.f), y, dydx);
}

// The op's attribute.
enum Activation { kNoActivation = 0, kGelu = 1, kSilu = 2 };
static inline Activation activationOf(const Call& call) { return (Activation)call.number("activation", kNoActivation); }

// act(x) and its derivative, of values that are kept as T.
template <int activation, class T>
static RF_INLINE void activate(vf x, vf* y, vf* dydx) {
  static_assert(activation == kGelu || activation == kSilu);
  constexpr bool coarse = sizeof(T) == 2;
  activation == kGelu ? geluWithDerivative<coarse>(x, y, dydx) : siluWithDerivative<coarse>(x, y, dydx);
}
template <int activation, class T>
static RF_INLINE Pair activated(Pair x) {
  Pair y, slope;
  activate<activation, T>(x.low, &y.low, &slope.low);
  activate<activation, T>(x.high, &y.high, &slope.high);
  return y;
}
template <int activation, class T>
static RF_INLINE Pair activationSlope(Pair x) {
  Pair y, slope;
  activate<activation, T>(x.low, &y.low, &slope.low);
  activate<activation, T>(x.high, &y.high, &slope.high);
  return slope;
}

}  // namespace RF_NS
}  // namespace rectiflow
