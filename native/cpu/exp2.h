// 2^x and 1 / x for kernels that need them by the million: what a processor's instructions leave to be done, and no more.
#pragma once
#include "simd.h"

namespace rectiflow {
namespace RF_NS {

// 2^x to two units in the last place; underflows to (nearly) zero, overflows above 127. NaN stays NaN.
static RF_INLINE vf vexp2(vf x) {
#if RF_LANES == 16 && defined(__AVX512DQ__)
  const vf r = (vf)_mm512_reduce_ps((__m512)x, 0x09);  // x - floor(x), and 0 for infinities
  vf p = splat(1.87757495e-3f);
  p = p * r + 8.98934435e-3f;
  p = p * r + 5.58263138e-2f;
  p = p * r + 2.40153611e-1f;
  p = p * r + 6.93153083e-1f;
  p = p * r + 9.99999940e-1f;
  return (vf)_mm512_scalef_ps((__m512)p, (__m512)x);  // p 2^floor(x)
#else
  const vf bounded = vmax(splat(-126.f), x);
  const vf shifted = bounded + 12582912.f;  // its low bits hold the nearest integer
  const vf r = bounded - (shifted - 12582912.f);
  vf p = splat(1.3276472e-3f);
  p = p * r + 9.6755410e-3f;
  p = p * r + 5.5507130e-2f;
  p = p * r + 2.4022120e-1f;
  p = p * r + 6.9314694e-1f;
  p = p * r + 1.f;
  return (vf)((vi)p + ((vi)shifted << 23));
#endif
}

// 2^x; coarse: for what is then rounded to bf16, by up to 2e-3, to 1.2e-4: sixteenths of x from a table, the rest by straight
// lines. Of those instructions only one competes with products for the units that multiply.
template <bool coarse>
static RF_INLINE vf vexp2For(vf x) {
#if RF_LANES == 16 && defined(__AVX512DQ__)
  if constexpr (coarse) {
    const vf powers = {1.f,         1.04427378f, 1.09050773f, 1.13878863f, 1.18920712f, 1.24185781f, 1.29683955f, 1.35425555f,
                       1.41421356f, 1.47682615f, 1.54221083f, 1.61049033f, 1.68179283f, 1.75625216f, 1.83400809f, 1.91520656f};
    // Both round down to a sixteenth, so that they agree. Of infinities the rest is 0.
    const vf shifted = (vf)_mm512_add_round_ps((__m512)x, _mm512_set1_ps(786432.f), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    const vf rest = (vf)_mm512_reduce_ps((__m512)x, 0x49);
    // The low bits of `shifted` count sixteenths.
    const vf power = (vf)_mm512_permutexvar_ps((__m512i)shifted, (__m512)(powers * 0.999883493f));
    const vf slope = (vf)_mm512_permutexvar_ps((__m512i)shifted, (__m512)(powers * 0.708280519f));
    return (vf)_mm512_scalef_ps((__m512)(slope * rest + power), (__m512)x);  // times 2^floor(x)
  }
#endif
  return vexp2(x);
}

// 1 / x to two units in the last place for 2^-126 <= |x| <= 2^126. NaN stays NaN.
static RF_INLINE vf vreciprocal(vf x) {
#if RF_LANES == 16 && defined(__AVX512F__)
  const vf guess = (vf)_mm512_rcp14_ps((__m512)x);
  return guess * (2.f - x * guess);  // a step of Newton's method doubles the 14 bits
#else
  return 1.f / x;
#endif
}
template <bool coarse>
static RF_INLINE vf vreciprocalFor(vf x) {
#if RF_LANES == 16 && defined(__AVX512F__)
  if constexpr (coarse) return (vf)_mm512_rcp14_ps((__m512)x);
#endif
  return vreciprocal(x);
}

}  // namespace RF_NS
}  // namespace rectiflow
