// Vectors for the kernels: GCC vector extensions with a handful of intrinsics, so that one source serves every instruction set.
//
// RF_LANES (4, 8 or 16 floats) and RF_NS (the namespace) come from the build; RF_BF16_DOT turns on products of bf16 pairs.
// Everything falls back to plain vector arithmetic where the compiler's target lacks an instruction, so the 16-lane kernels can
// be tested on a machine without AVX-512.
#pragma once
#include <cmath>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include "core.h"

#define RF_INLINE __attribute__((always_inline)) inline
#define RF_ALWAYS_INLINE __attribute__((always_inline))  // of a lambda

namespace rectiflow {
namespace RF_NS {

constexpr int kLanes = RF_LANES;
typedef float vf __attribute__((vector_size(RF_LANES * 4), may_alias));
typedef int32_t vi __attribute__((vector_size(RF_LANES * 4), may_alias));
typedef uint32_t vu __attribute__((vector_size(RF_LANES * 4), may_alias));
typedef uint16_t vh __attribute__((vector_size(RF_LANES * 2), may_alias));
typedef float vf_unaligned __attribute__((vector_size(RF_LANES * 4), may_alias, aligned(4)));
typedef uint16_t vh_unaligned __attribute__((vector_size(RF_LANES * 2), may_alias, aligned(2)));

struct bf16 {
  uint16_t bits;
};

static RF_INLINE int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static RF_INLINE int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static RF_INLINE int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

static RF_INLINE vf splat(float x) { return x - (vf){}; }

// Scalar conversions; to bf16 rounds to nearest even and keeps NaN a NaN.
static RF_INLINE float toFloat(float x) { return x; }
static RF_INLINE float toFloat(bf16 x) {
  uint32_t u = (uint32_t)x.bits << 16;
  float f;
  memcpy(&f, &u, 4);
  return f;
}
static RF_INLINE void fromFloat(float x, float* out) { *out = x; }
static RF_INLINE void fromFloat(float x, bf16* out) {
  uint32_t u;
  memcpy(&u, &x, 4);
  out->bits = (x != x) ? (uint16_t)0x7fc0 : (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

static RF_INLINE vf load(const float* p) { return *(const vf_unaligned*)p; }
static RF_INLINE vf load(const bf16* p) {
#if RF_LANES == 16 && defined(__AVX512F__)
  return (vf)_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16));
#elif RF_LANES == 8 && defined(__AVX2__)
  return (vf)_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16));
#else
  return (vf)(__builtin_convertvector(*(const vh_unaligned*)p, vu) << 16);
#endif
}
static RF_INLINE void store(float* p, vf x) { *(vf_unaligned*)p = x; }
static RF_INLINE void store(bf16* p, vf x) {
#if RF_LANES == 16 && defined(__AVX512BF16__)
  _mm256_storeu_si256((__m256i*)p, (__m256i)_mm512_cvtneps_pbh((__m512)x));
#else
  vu u = (vu)x;
  vu rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  vu nan = (vu)(x != x);
  rounded = (nan & 0x7fc0) | (~nan & rounded);
#if RF_LANES == 8 && defined(__AVX2__)
  __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32((__m256i)rounded, (__m256i)rounded), 0x08);
  _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(packed));
#elif RF_LANES == 16 && defined(__AVX512F__)
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtepi32_epi16((__m512i)rounded));
#else
  *(vh_unaligned*)p = __builtin_convertvector(rounded, vh);
#endif
#endif
}

// The first n lanes, the rest zero.
template <class T>
static RF_INLINE vf loadPartial(const T* p, int64_t n) {
  if (n >= kLanes) return load(p);
  float lanes[kLanes] = {};
  for (int64_t i = 0; i < n; i++) lanes[i] = toFloat(p[i]);
  return load(lanes);
}
template <class T>
static RF_INLINE void storePartial(T* p, vf x, int64_t n) {
  if (n >= kLanes) return store(p, x);
  float lanes[kLanes];
  store(lanes, x);
  for (int64_t i = 0; i < n; i++) fromFloat(lanes[i], p + i);
}

// x as it would be read again after it was stored as T.
template <class T>
static RF_INLINE vf roundedTo(vf x) {
  if constexpr (sizeof(T) == 4) return x;
  T stored[kLanes];
  store(stored, x);
  return load(stored);
}

// Two neighbouring vectors, so that bf16 moves by whole vectors and long computations overlap.
struct Pair {
  vf low, high;
};
// The first n of both vectors' lanes, the rest zero; n > 0.
template <class T>
static RF_INLINE Pair loadPair(const T* p, int64_t n) {
  return {loadPartial(p, n), n > kLanes ? loadPartial(p + kLanes, n - kLanes) : (vf){}};
}
template <class T>
static RF_INLINE void storePair(T* p, Pair x, int64_t n) {
#if RF_LANES == 16 && defined(__AVX512BF16__)
  if constexpr (sizeof(T) == 2)
    if (n >= 2 * kLanes) return _mm512_storeu_si512((void*)p, (__m512i)_mm512_cvtne2ps_pbh((__m512)x.high, (__m512)x.low));
#endif
  storePartial(p, x.low, n);
  if (n > kLanes) storePartial(p + kLanes, x.high, n - kLanes);
}

template <class T>
static RF_INLINE Pair roundedTo(Pair x) { return {roundedTo<T>(x.low), roundedTo<T>(x.high)}; }

static RF_INLINE vf select(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }
// a > b ? a : b and a < b ? a : b, so NaN in a gives b.
static RF_INLINE vf vmax(vf a, vf b) {
#if RF_LANES == 16 && defined(__AVX512F__)
  return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif RF_LANES == 8 && defined(__AVX2__)
  return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#elif RF_LANES == 4 && defined(__SSE2__)
  return (vf)_mm_max_ps((__m128)a, (__m128)b);
#else
  return select((vi)(a > b), a, b);
#endif
}
static RF_INLINE vf vmin(vf a, vf b) {
#if RF_LANES == 16 && defined(__AVX512F__)
  return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif RF_LANES == 8 && defined(__AVX2__)
  return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#elif RF_LANES == 4 && defined(__SSE2__)
  return (vf)_mm_min_ps((__m128)a, (__m128)b);
#else
  return select((vi)(a < b), a, b);
#endif
}
static RF_INLINE vf vsqrt(vf x) {
#if RF_LANES == 16 && defined(__AVX512F__)
  return (vf)_mm512_sqrt_ps((__m512)x);
#elif RF_LANES == 8 && defined(__AVX2__)
  return (vf)_mm256_sqrt_ps((__m256)x);
#else
  for (int i = 0; i < kLanes; i++) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

// Sum and maximum over the lanes, always in the same order for one lane count.
static RF_INLINE float sumLanes(vf x) {
  float lanes[kLanes];
  store(lanes, x);
  for (int width = kLanes / 2; width; width /= 2)
    for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
  return lanes[0];
}
static RF_INLINE float maxLanes(vf x) {
  float lanes[kLanes];
  store(lanes, x);
  float m = lanes[0];
  for (int i = 1; i < kLanes; i++) m = lanes[i] > m ? lanes[i] : m;
  return m;
}

// exp to about one unit in the last place: 2^n times a degree-6 polynomial on [-ln2/2, ln2/2]; 0 below -87.3, infinity above 88.7.
// NaN stays NaN.
static RF_INLINE vf vexp(vf x) {
  const vf clamped = vmin(vmax(x, splat(-87.33654f)), splat(88.72283f));
  const vf rounded = (clamped * 1.44269504f + 12582912.f) - 12582912.f;  // nearest integer
  const vf r = (clamped - rounded * 0.693359375f) - rounded * -2.12194440e-4f;
  vf p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.f;
  // The exponent is applied in two halves so that neither factor overflows.
  const vi n = __builtin_convertvector(rounded, vi);
  const vi half = n >> 1;
  const vf scaled = p * (vf)((half + 127) << 23) * (vf)((n - half + 127) << 23);
  // Infinity of what is too large, NaN of NaN.
  return select((vi)(x <= 88.72283f), select((vi)(x < -87.33654f), (vf){}, scaled), x * __builtin_inff());
}
static RF_INLINE vf vsigmoid(vf x) { return 1.f / (1.f + vexp(-x)); }

// Runs body(item, thread) over the pool.
template <class Body>
static inline void parallel(Pool* pool, int64_t items, Body&& body) {
  struct Invoke {
    static void task(void* context, int64_t item, int thread) { (*(Body*)context)(item, thread); }
  };
  if (items == 1) return body((int64_t)0, 0);
  pool->run(items, &Invoke::task, (void*)&body);
}

}  // namespace RF_NS
}  // namespace rectiflow
