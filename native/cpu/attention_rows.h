// The rows of one head in a tensor: packed or copied as operands of attention's products (attention_tile.h), summed, stored.
//
// A head's rows are short and lie far apart, and each is read by several products. So what is packed twice is read once, and
// pairs of bf16 are made by whole vectors.
#pragma once
#include <type_traits>

#include "attention_tile.h"
#include "pack.h"

namespace rectiflow {
namespace RF_NS {

static constexpr RF_INLINE int64_t roundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// The rows of one head in a tensor [B, N, columns]: its d elements of token t start at element t*stride.
struct HeadRows {
  char* data;
  bool low;  // bfloat16, else float32
  int64_t stride, tokens;

  HeadRows(const Tensor& tensor, int64_t image, int64_t column) {
    low = tensor.dtype == DType::BFloat16;
    stride = tensor.shape[2];
    tokens = tensor.shape[1];
    data = (char*)tensor.data + (image * tensor.shape[1] * stride + column) * (low ? 2 : 4);
  }
  // Bytes of an element.
  RF_INLINE int64_t size() const { return low ? 2 : 4; }
  // Calls body with a typed pointer to a token's row.
  template <class Body>
  RF_INLINE void visit(int64_t token, Body&& body) const {
    if (low)
      body((bf16*)data + token * stride);
    else
      body((float*)data + token * stride);
  }
};

// kLanes neighbouring units along k; remaining counts elements up to the end of k, past which there are zeros.
template <class P, class S>
static RF_INLINE vu unitsAlong(const S* p, int64_t remaining) { return AlongK<P, S>::load(p, remaining); }
#if RF_LANES == 16 && defined(__AVX512BW__)
template <>
RF_INLINE vu unitsAlong<uint32_t>(const bf16* p, int64_t remaining) {
  const __mmask32 mask = remaining >= 32 ? ~0u : (1u << remaining) - 1;
  return (vu)_mm512_maskz_loadu_epi16(mask, p);
}
#endif

// The sum, unit by unit, of a product of neighbouring units.
template <class P>
static RF_INLINE vf multiplyUnits(vu left, vu right, vf sum) {
  if constexpr (kUnitSize<P> == 1) return (vf)left * (vf)right + sum;
#if RF_LANES == 16 && defined(__AVX512BF16__)
  return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)left, (__m512bh)right);
#else
  sum += (vf)(left & 0xffff0000u) * (vf)(right & 0xffff0000u);
  return sum + (vf)(left << 16) * (vf)(right << 16);
#endif
}

template <class P>
static RF_INLINE int64_t panelUnits(int64_t columns, int64_t k) { return roundUp(columns, kHeadCols) * unitsOf<P>(k); }

// A right operand whose columns are tokens; the sum runs over the head's elements. Blocks are transposed in registers.
template <class P>
static Panels<P> packTokens(const HeadRows& rows, int64_t from, int64_t count, int64_t d, P* packed) {
  const int64_t units = unitsOf<P>(d), panelStride = kHeadCols * units;
  rows.visit(from, [&](auto* source) {
    for (int64_t t = 0; t < count; t += kLanes) {
      P* const panel = packed + t / kHeadCols * panelStride + t % kHeadCols;
      for (int64_t u = 0; u < units; u += kLanes) {
        const int64_t k = u * kUnitSize<P>;
        vu block[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; i++)
          block[i] = t + i < count ? unitsAlong<P>(source + (t + i) * rows.stride + k, d - k) : (vu){};
        transpose(block);
        for (int64_t i = 0; i < min64(kLanes, units - u); i++) *(vu_unaligned*)(panel + (u + i) * kHeadCols) = block[i];
      }
    }
  });
  return {packed, panelStride};
}

// A right operand whose columns are the head's elements; the sum runs over tokens.
template <class P>
static Panels<P> packFeatures(const HeadRows& rows, int64_t from, int64_t count, int64_t d, P* packed) {
  const int64_t units = unitsOf<P>(count), panelStride = kHeadCols * units;
  rows.visit(from, [&](auto* source) {
    using Source = std::remove_pointer_t<decltype(source)>;
    constexpr int64_t kWide = kInterleaves<P, Source> ? 2 * kLanes : kLanes;
    static_assert(kHeadCols % kWide == 0, "a panel is whole units");
    for (int64_t u = 0; u < units; u++) {
      const int64_t token = u * kUnitSize<P>;
      const Source* const row = source + token * rows.stride;
      int64_t j = 0;
      if constexpr (kInterleaves<P, Source>)
        for (; token + 1 < count && j + kWide <= d; j += kWide) {
          vu pairs[2];
          interleave(row + j, row + rows.stride + j, pairs);
          P* const panel = packed + j / kHeadCols * panelStride + u * kHeadCols + j % kHeadCols;
          *(vu_unaligned*)panel = pairs[0];
          *(vu_unaligned*)(panel + kLanes) = pairs[1];
        }
      for (; j < d; j += kLanes)
        *(vu_unaligned*)(packed + j / kHeadCols * panelStride + u * kHeadCols + j % kHeadCols) =
            Across<P, Source>::load(row + j, token + 1 < count ? row + rows.stride + j : nullptr, d - j);
    }
  });
  return {packed, panelStride};
}

// Both at once: each row is read once, and transposed and interleaved in registers.
template <class P>
struct TokensFeatures {
  Panels<P> tokens, features;
};
template <class P>
static TokensFeatures<P> packBoth(const HeadRows& rows, int64_t count, int64_t d, P* tokens, P* features) {
#if RF_BF16_DOT && RF_LANES == 16 && defined(__AVX512BW__)
  static_assert(kHeadCols == 2 * kLanes, "a unit of a panel is two vectors");
  if constexpr (kUnitSize<P> == 2)
    if (rows.low) {
      const bf16* const source = (const bf16*)rows.data;
      const int64_t units = unitsOf<P>(d), tokensStride = kHeadCols * units, featuresStride = kHeadCols * unitsOf<P>(count);
      for (int64_t t = 0; t < count; t += kLanes)
        for (int64_t u = 0; u < units; u += kLanes) {
          vu block[kLanes];
#pragma GCC unroll 16
          for (int i = 0; i < kLanes; i++)
            block[i] = t + i < count ? unitsAlong<P>(source + (t + i) * rows.stride + 2 * u, d - 2 * u) : (vu){};
          P* const across = features + u / kLanes * featuresStride + t / 2 * kHeadCols;
#pragma GCC unroll 8
          for (int i = 0; i < kLanes; i += 2)
            if (t + i < count) {
              vu pairs[2];
              interleave(block[i], block[i + 1], pairs);
              *(vu_unaligned*)(across + i / 2 * kHeadCols) = pairs[0];
              *(vu_unaligned*)(across + i / 2 * kHeadCols + kLanes) = pairs[1];
            }
          transpose(block);
          P* const panel = tokens + t / kHeadCols * tokensStride + t % kHeadCols + u * kHeadCols;
          for (int64_t i = 0; i < min64(kLanes, units - u); i++) *(vu_unaligned*)(panel + i * kHeadCols) = block[i];
        }
      return {{tokens, tokensStride}, {features, featuresStride}};
    }
#endif
  return {packTokens(rows, 0, count, d, tokens), packFeatures(rows, 0, count, d, features)};
}

// A left operand whose rows are tokens, and zeros up to a whole tile of scores. Copied, so that its rows lie close together
// whatever the tensor's stride.
template <class P>
static Rows<P> copyTokens(const HeadRows& rows, int64_t from, int64_t count, int64_t d, P* copy) {
  const int64_t units = unitsOf<P>(d), stride = roundUp(units, kLanes);
  rows.visit(from, [&](auto* source) {
    for (int64_t t = 0; t < count; t++)
      for (int64_t u = 0; u < units; u += kLanes) {
        const int64_t k = u * kUnitSize<P>;
        *(vu_unaligned*)(copy + t * stride + u) = unitsAlong<P>(source + t * rows.stride + k, d - k);
      }
  });
  memset(copy + count * stride, 0, (roundUp(count, kScoreRows) - count) * stride * sizeof(P));
  return {copy, stride, 1};
}
template <class P>
static RF_INLINE int64_t copiedUnits(int64_t count, int64_t d) { return count * roundUp(unitsOf<P>(d), kLanes); }

// storePartial without its loop where masked stores exist.
template <class T>
static RF_INLINE void storeNarrow(T* p, vf x, int64_t n) { storePartial(p, x, n); }
#if RF_LANES == 16 && defined(__AVX512BW__)
template <>
RF_INLINE void storeNarrow(float* p, vf x, int64_t n) { _mm512_mask_storeu_ps(p, (__mmask16)laneMask(n), (__m512)x); }
#endif
#if RF_LANES == 16 && defined(__AVX512BF16__)
template <>
RF_INLINE void storeNarrow(bf16* p, vf x, int64_t n) {
  _mm256_mask_storeu_epi16(p, (__mmask16)laneMask(n), (__m256i)_mm512_cvtneps_pbh((__m512)x));
}
#endif

// rows[from + t] = factor(t) * source[t]
template <class Factor>
static void storeTokens(const HeadRows& rows, int64_t from, int64_t count, int64_t d, const float* source, int64_t ld,
                        Factor&& factor) {
  rows.visit(from, [&](auto* out) {
    for (int64_t t = 0; t < count; t++) {
      const float f = factor(t);
      int64_t j = 0;
      for (; j + 2 * kLanes <= d; j += 2 * kLanes)
        storePair(out + t * rows.stride + j, Pair{f * load(source + t * ld + j), f * load(source + t * ld + j + kLanes)}, 2 * kLanes);
      for (; j < d; j += kLanes) storeNarrow(out + t * rows.stride + j, f * load(source + t * ld + j), d - j);
    }
  });
}

// Zeros in the rows from `from` on, up to `to`.
static void clearTokens(const HeadRows& rows, int64_t from, int64_t to, int64_t d) {
  for (int64_t t = from; t < to; t++) memset(rows.data + t * rows.stride * rows.size(), 0, d * rows.size());
}

}  // namespace RF_NS
}  // namespace rectiflow
