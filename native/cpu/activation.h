// GELU (tanh form, Hendrycks & Gimpel 2016), SiLU and ReLU on vectors, alone and with their derivatives.
//
// 0.5 x (1 + tanh u) equals x sigmoid(2u), so both activations are x times a sigmoid and share one exponential. Where the sigmoid
// is 0 or 1 in float32 its argument is held back, so that the exponential stays a normal number. Coarse activations are for
// numbers that come from bf16 and go to bf16: right to 2e-4, and less than half of the work.
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

static RF_INLINE void geluWithDerivative(vf x, vf* y, vf* dydx) {
  const vf c = clamp(x, kGeluBound);
  const vf square = c * c;
  const vf exponent = c * (square * (-kLog2OfE * kGeluCubic) - kLog2OfE * kGeluLinear);
  sigmoidUnit<false>(x, exponent, square * (3.f * kGeluCubic) + kGeluLinear, y, dydx);
}

template <bool coarse = false>
static RF_INLINE void siluWithDerivative(vf x, vf* y, vf* dydx) {
  sigmoidUnit<coarse>(x, clamp(x, kSiluBound) * -kLog2OfE, splat(1.f), y, dydx);
}

#if RF_LANES == 16 && defined(__AVX512F__)
// GELU is max(x, 0) + a(|x|), and its derivative 1/2 + sign(x) b(|x|). Coarsely, a and b are quadratic on sixteen pieces, a
// quarter wide up to 3.125 and a half from there to 4.5, where a is 0 and b 1/2 to the bit. Looking the coefficients up leaves
// two multiplications. Those compete with products for the units that multiply; minima, additions, scaling by powers of two and
// look-ups hardly do (Zen 5). Errors are below 1.2e-4, and GELU's for small x in proportion to x.
struct GeluPieces {
  alignas(64) float coefficients[3][16];  // of powers of the distance from a piece's middle
};
constexpr GeluPieces kGeluPieces = {{
    {0.f, -0.10032116f, -0.15428394f, -0.17003918f, -0.15880924f, -0.13228786f, -0.10043057f, -0.070206344f, -0.045403115f,
     -0.027201828f, -0.015084335f, -0.0077229748f, -0.0036371439f, -0.00099185947f, -0.00012459038f, -7.1525574e-06f},
    {-0.5f, -0.3053892f, -0.13391757f, -0.0025711893f, 0.081557162f, 0.12141455f, 0.12704733f, 0.11131205f, 0.086089112f,
     0.060053632f, 0.038142446f, 0.022127183f, 0.011720203f, 0.0079885488f, 0.0012878554f, 0.00016403198f},
    {0.39807925f, 0.37335321f, 0.30709782f, 0.21607035f, 0.12147085f, 0.041249607f, -0.014570635f, -0.044585783f,
     -0.053606041f, -0.049028832f, -0.038100783f, -0.026087375f, -0.01596337f, -0.025741741f, -0.0051599396f,
     -0.00079345703f},
}};
constexpr GeluPieces kGeluSlopePieces = {{
    {0.f, 0.19534978f, 0.36736301f, 0.49893206f, 0.58295935f, 0.62249088f, 0.62771165f, 0.61159927f, 0.58610183f,
     0.55991662f, 0.53795284f, 0.52194953f, 0.51158422f, 0.50371403f, 0.50056946f, 0.50006199f},
    {0.79967076f, 0.7462576f, 0.61393493f, 0.43211657f, 0.24309799f, 0.082761541f, -0.028866604f, -0.088949971f,
     -0.10703102f, -0.097993262f, -0.076193839f, -0.052196063f, -0.031958375f, -0.025942983f, -0.0052363598f,
     -0.00092697144f},
    {-0.046306584f, -0.18971053f, -0.32839292f, -0.38522333f, -0.35932982f, -0.27572492f, -0.17008428f, -0.073481388f,
     -0.0036941005f, 0.035253264f, 0.048628669f, 0.045530118f, 0.034817629f, 0.071547925f, 0.018880568f, -0.0010375977f},
}};
static RF_INLINE vf lookUp(const GeluPieces& pieces, vf x) {
  const vf size = (vf)((vi)x & 0x7fffffff);
  const vf beyond = (vf)_mm512_scalef_ps((__m512)size, (__m512)splat(-1.f)) + 1.5625f;  // half, for the wider pieces
  const vf at = vmin(splat(3.8125f), vmin(beyond, size));                               // NaN stays NaN
  const vf shifted = at + 3145728.f;  // its low bits hold the nearest quarter
  const vf rest = at - (shifted - 3145728.f);
  const auto coefficient = [&](int power) RF_ALWAYS_INLINE {
    return (vf)_mm512_permutexvar_ps((__m512i)shifted, (__m512)load(pieces.coefficients[power]));
  };
  return (coefficient(2) * rest + coefficient(1)) * rest + coefficient(0);
}
static RF_INLINE vf coarseGelu(vf x) { return vmax(x, (vf){}) + lookUp(kGeluPieces, x); }
static RF_INLINE vf coarseGeluSlope(vf x) {
  return 0.5f + (vf)((vu)lookUp(kGeluSlopePieces, x) ^ ((vu)x & 0x80000000u));
}
#else
static RF_INLINE vf coarseGelu(vf x) {
  vf y, slope;
  geluWithDerivative(x, &y, &slope);
  return y;
}
static RF_INLINE vf coarseGeluSlope(vf x) {
  vf y, slope;
  geluWithDerivative(x, &y, &slope);
  return slope;
}
#endif

// The op's attribute.
enum Activation { kNoActivation = 0, kGelu = 1, kSilu = 2, kRelu = 3 };
static inline Activation activationOf(const Call& call) { return (Activation)call.number("activation", kNoActivation); }

// act(x) and its derivative, of values that are kept as T.
template <int activation, class T>
static RF_INLINE void activate(vf x, vf* y, vf* dydx) {
  static_assert(activation == kGelu || activation == kSilu);
  activation == kGelu ? geluWithDerivative(x, y, dydx) : siluWithDerivative<sizeof(T) == 2>(x, y, dydx);
}
template <int activation, class T>
constexpr bool kCoarseGelu = activation == kGelu && sizeof(T) == 2;

// NaN stays NaN.
static RF_INLINE vf relu(vf x) { return vmax((vf){}, x); }
static RF_INLINE vf reluSlope(vf x) { return select((vi)(x > 0.f), splat(1.f), (vf){}); }

template <int activation, class T>
static RF_INLINE Pair activated(Pair x) {
  if constexpr (activation == kRelu) {
    return {relu(x.low), relu(x.high)};
  } else if constexpr (kCoarseGelu<activation, T>) {
    return {coarseGelu(x.low), coarseGelu(x.high)};
  } else {
    Pair y, slope;
    activate<activation, T>(x.low, &y.low, &slope.low);
    activate<activation, T>(x.high, &y.high, &slope.high);
    return y;
  }
}
template <int activation, class T>
static RF_INLINE Pair activationSlope(Pair x) {
  if constexpr (activation == kRelu) {
    return {reluSlope(x.low), reluSlope(x.high)};
  } else if constexpr (kCoarseGelu<activation, T>) {
    return {coarseGeluSlope(x.low), coarseGeluSlope(x.high)};
  } else {
    Pair y, slope;
    activate<activation, T>(x.low, &y.low, &slope.low);
    activate<activation, T>(x.high, &y.high, &slope.high);
    return slope;
  }
}

}  // namespace RF_NS
}  // namespace rectiflow
