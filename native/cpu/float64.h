// Vectors of doubles, for the few places that need them: half as many lanes as simd.h's floats, so one register.
#pragma once
#include "simd.h"

namespace rectiflow {
namespace RF_NS {

constexpr int kDoubles = kLanes / 2;
typedef double vd __attribute__((vector_size(RF_LANES * 4), may_alias));
typedef uint64_t vq __attribute__((vector_size(RF_LANES * 4), may_alias));
typedef double vd_unaligned __attribute__((vector_size(RF_LANES * 4), may_alias, aligned(8)));
typedef float vfHalf_unaligned __attribute__((vector_size(RF_LANES * 2), may_alias, aligned(4)));

static RF_INLINE vd splatDouble(double x) { return x - (vd){}; }
static RF_INLINE vd loadDoubles(const float* p) { return __builtin_convertvector(*(const vfHalf_unaligned*)p, vd); }

// The first n lanes as doubles, the rest zero; and the first n lanes rounded to floats.
static RF_INLINE vd loadDoubles(const float* p, int64_t n) {
  if (n >= kDoubles) return loadDoubles(p);
  float lanes[kDoubles] = {};
  for (int64_t i = 0; i < n; i++) lanes[i] = p[i];
  return loadDoubles(lanes);
}
static RF_INLINE void storeDoubles(float* p, vd x, int64_t n) {
  if (n >= kDoubles) {
    *(vfHalf_unaligned*)p = __builtin_convertvector(x, vfHalf_unaligned);
    return;
  }
  for (int64_t i = 0; i < n; i++) p[i] = (float)x[i];
}

// x itself, which the compiler may not look into: a product that is added to something is rounded first, as JavaScript does it, and
// not joined with the sum into one instruction that rounds once.
static RF_INLINE vd rounded(vd x) {
#if (RF_LANES == 16 && defined(__AVX512F__)) || (RF_LANES == 8 && defined(__AVX2__)) || (RF_LANES == 4 && defined(__SSE2__))
  asm("" : "+v"(x));
#elif RF_LANES == 4 && defined(__aarch64__)
  asm("" : "+w"(x));
#else
  asm("" : "+m"(x));
#endif
  return x;
}

// A float64 that a program is given as the sum of three floats.
static RF_INLINE double fromParts(const float* parts) { return (double)parts[0] + parts[1] + parts[2]; }

static RF_INLINE vd vsqrt(vd x) {
#if RF_LANES == 16 && defined(__AVX512F__)
  return (vd)_mm512_sqrt_pd((__m512d)x);
#elif RF_LANES == 8 && defined(__AVX2__)
  return (vd)_mm256_sqrt_pd((__m256d)x);
#else
  for (int i = 0; i < kDoubles; i++) x[i] = __builtin_sqrt(x[i]);
  return x;
#endif
}

// The 64-bit products of a factor and the lower halves of x.
static RF_INLINE vq multiplyWords(vq x, uint32_t factor) {
  const vq f = factor - (vq){};
#if RF_LANES == 16 && defined(__AVX512F__)
  return (vq)_mm512_mul_epu32((__m512i)x, (__m512i)f);
#elif RF_LANES == 8 && defined(__AVX2__)
  return (vq)_mm256_mul_epu32((__m256i)x, (__m256i)f);
#elif RF_LANES == 4 && defined(__SSE2__)
  return (vq)_mm_mul_epu32((__m128i)x, (__m128i)f);
#else
  return (x & 0xffffffffu) * f;
#endif
}

// Exact for integers below 2^52: they become the mantissa of a number in [2^52, 2^53).
static RF_INLINE vd toDouble(vq x) { return (vd)(x | 0x4330000000000000u) - 0x1p52; }

// Natural logarithm of normal numbers in [2^-60, 2^60], relative error below 1e-12 (also near 1).
//
// x = 2^k m with m in [sqrt(1/2), sqrt(2)), and log m = 2 artanh((m - 1) / (m + 1)) by its series.
static RF_INLINE vd vlog(vd x) {
  const uint64_t sqrtHalf = 0x3fe6a09e667f3bcdu;
  const vq biased = ((vq)x - (sqrtHalf - (64ull << 52))) >> 52;  // k + 64
  const vd m = (vd)((vq)x - (biased << 52) + (64ull << 52));
  const vd s = (m - 1.) / (m + 1.);
  const vd square = s * s;
  vd series = splatDouble(2. / 15);
  series = series * square + 2. / 13;
  series = series * square + 2. / 11;
  series = series * square + 2. / 9;
  series = series * square + 2. / 7;
  series = series * square + 2. / 5;
  series = series * square + 2. / 3;
  series = series * square + 2.;
  return s * series + (toDouble(biased) - 64.) * 0x1.62e42fefa39efp-1;
}

// Cosine and sine of 2 pi x for x in [0, 1], relative error below 1e-11.
//
// 4x = quadrant + r with r in [-1/2, 1/2], exactly; Taylor series on [-pi/4, pi/4].
static RF_INLINE void vcosSin2Pi(vd x, vd* cosine, vd* sine) {
  const vd shifted = x * 4. + 0x1.8p52;  // the nearest integer, in the lowest bits
  const vq quadrant = (vq)shifted & 3;
  const vd a = (x * 4. - (shifted - 0x1.8p52)) * 1.5707963267948966;
  const vd square = a * a;
  vd s = splatDouble(1. / 6227020800.);
  s = s * square - 1. / 39916800.;
  s = s * square + 1. / 362880.;
  s = s * square - 1. / 5040.;
  s = s * square + 1. / 120.;
  s = s * square - 1. / 6.;
  s = s * square * a + a;
  vd c = splatDouble(-1. / 87178291200.);
  c = c * square + 1. / 479001600.;
  c = c * square - 1. / 3628800.;
  c = c * square + 1. / 40320.;
  c = c * square - 1. / 720.;
  c = c * square + 1. / 24.;
  c = c * square - 1. / 2.;
  c = c * square + 1.;
  const vq odd = -(quadrant & 1);
  *cosine = (vd)(((odd & (vq)s) | (~odd & (vq)c)) ^ (((quadrant + 1) & 2) << 62));
  *sine = (vd)(((odd & (vq)c) | (~odd & (vq)s)) ^ ((quadrant & 2) << 62));
}

}  // namespace RF_NS
}  // namespace rectiflow
