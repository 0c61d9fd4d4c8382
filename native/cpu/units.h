// Vectors of units (see tile.h) read from float32 or bf16 data: neighbours along k, or of a unit across rows or columns.
#pragma once
#include "tile.h"

namespace rectiflow {
namespace RF_NS {

// float32 data that takes part in bf16 products: rounded to bf16 when it is read.
struct RoundedFloat {
  float value;
};
static RF_INLINE float toFloat(RoundedFloat x) {
  bf16 low;
  fromFloat(x.value, &low);
  return toFloat(low);
}
static RF_INLINE vf load(const RoundedFloat* p) {
  bf16 low[kLanes];
  store(low, load(&p->value));
  return load(low);
}
// float32 data to be packed as LowPacked. Packing into pairs rounds anyway.
#if RF_BF16_DOT
using LowFloat = float;
#else
using LowFloat = RoundedFloat;
#endif

// loadPartial without its loop where masked loads exist: the last panel of a block of rows is often narrower than a vector.
template <class S>
static RF_INLINE vf loadNarrow(const S* p, int64_t n) { return loadPartial(p, n); }
#if RF_LANES == 16 && defined(__AVX512BW__)
static RF_INLINE uint32_t laneMask(int64_t n) { return n >= 16 ? 0xffffu : n > 0 ? (1u << n) - 1 : 0u; }
template <>
RF_INLINE vf loadNarrow(const float* p, int64_t n) { return (vf)_mm512_maskz_loadu_ps((__mmask16)laneMask(n), p); }
template <>
RF_INLINE vf loadNarrow(const bf16* p, int64_t n) {
  return (vf)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16((__mmask16)laneMask(n), p)), 16);
}
#elif RF_LANES == 8 && defined(__AVX2__)
template <>
RF_INLINE vf loadNarrow(const float* p, int64_t n) {
  const vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
  return (vf)_mm256_maskload_ps(p, (__m256i)(lane < (int32_t)n));
}
#endif

// A unit of ones.
template <class P>
constexpr P kOnes = 1;
template <>
constexpr uint32_t kOnes<uint32_t> = 0x3f803f80;

// The first n of kLanes neighbouring units along k, where k is contiguous; remaining counts elements up to the end of k.
template <class P, class S>
struct AlongK;
template <class S>
struct AlongK<float, S> {
  static RF_INLINE vu load(const S* p, int64_t remaining) { return (vu)loadNarrow(p, remaining); }
};
template <class S>
struct AlongK<uint32_t, S> {
  static RF_INLINE vu load(const S* p, int64_t remaining) {
#if RF_LANES == 16 && defined(__AVX512BF16__)
    if (remaining >= 2 * kLanes) return (vu)_mm512_cvtne2ps_pbh((__m512)RF_NS::load(p + kLanes), (__m512)RF_NS::load(p));
#endif
    bf16 pairs[2 * kLanes];
    if (remaining >= 2 * kLanes) {
      store(pairs, RF_NS::load(p));
      store(pairs + kLanes, RF_NS::load(p + kLanes));
    } else {
      for (int64_t i = 0; i < 2 * kLanes; i++) fromFloat(i < remaining ? toFloat(p[i]) : 0.f, pairs + i);
    }
    return *(const vu_unaligned*)pairs;
  }
};
template <>
RF_INLINE vu AlongK<uint32_t, bf16>::load(const bf16* p, int64_t remaining) {
  if (remaining >= 2 * kLanes) return *(const vu_unaligned*)p;
  bf16 pairs[2 * kLanes] = {};
  for (int64_t i = 0; i < remaining; i++) pairs[i] = p[i];
  return *(const vu_unaligned*)pairs;
}

// One unit of the first n of kLanes neighbouring rows or columns, where those are contiguous. odd: nullptr after the end of k.
template <class P, class S>
struct Across;
template <class S>
struct Across<float, S> {
  static RF_INLINE vu load(const S* even, const S*, int64_t n) { return (vu)loadNarrow(even, n); }
};
template <class S>
struct Across<uint32_t, S> {
  static RF_INLINE vu bits(const S* p, int64_t n) {
    bf16 low[kLanes];
    store(low, loadNarrow(p, n));
    return (vu)RF_NS::load(low);
  }
  static RF_INLINE vu load(const S* even, const S* odd, int64_t n) {
    const vu pairs = bits(even, n) >> 16;
    return odd ? pairs | bits(odd, n) : pairs;
  }
};
template <>
RF_INLINE vu Across<uint32_t, bf16>::bits(const bf16* p, int64_t n) { return (vu)loadNarrow(p, n); }

// One unit of 2 * kLanes neighbours, where one instruction makes pairs of two rows of bf16.
template <class P, class S>
constexpr bool kInterleaves = false;
template <class S>
static RF_INLINE void interleave(const S*, const S*, vu*) {}
#if RF_BF16_DOT && RF_LANES == 16 && defined(__AVX512BW__)
template <>
constexpr bool kInterleaves<uint32_t, bf16> = true;
static RF_INLINE void interleave(vu even, vu odd, vu* pairs) {
  const __m512i a = (__m512i)even, b = (__m512i)odd;
  const vu low = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const vu words = low * 0x10001u + 0x200000u;  // i of a, then i of b, which counts from 32
  pairs[0] = (vu)_mm512_permutex2var_epi16(a, (__m512i)words, b);
  pairs[1] = (vu)_mm512_permutex2var_epi16(a, (__m512i)(words + 0x100010u), b);
}
template <>
RF_INLINE void interleave(const bf16* even, const bf16* odd, vu* pairs) {
  interleave(*(const vu_unaligned*)even, *(const vu_unaligned*)odd, pairs);
}
#endif

}  // namespace RF_NS
}  // namespace rectiflow
