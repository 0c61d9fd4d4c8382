// What attention and its gradient share: the rows of a head as operands of products, an exponential, scratch memory.
#pragma once
#include <type_traits>

#include "exp2.h"
#include "pack.h"

namespace rectiflow {
namespace RF_NS {

constexpr float kLog2e = 1.44269504f, kLn2 = 0.693147181f;

static RF_INLINE int64_t roundUp(int64_t n, int64_t multiple) { return ceilDiv(n, multiple) * multiple; }

// The length of a block, a multiple of `multiple`, when `total` is cut into blocks as equal as can be of at most `most`.
static RF_INLINE int64_t evenBlock(int64_t total, int64_t most, int64_t multiple) {
  return roundUp(ceilDiv(total, ceilDiv(total, most)), multiple);
}

// The rows of one head in a tensor [B, N, columns]: its d elements of token t start at element t*stride.
struct HeadRows {
  char* data;
  bool low;  // bfloat16, else float32
  int64_t stride;

  HeadRows(const Tensor& tensor, int64_t image, int64_t column) {
    low = tensor.dtype == DType::BFloat16;
    stride = tensor.shape[2];
    data = (char*)tensor.data + (image * tensor.shape[1] * stride + column) * (low ? 2 : 4);
  }
  // Calls body with a typed pointer to a token's row.
  template <class Body>
  RF_INLINE void visit(int64_t token, Body&& body) const {
    if (low)
      body((bf16*)data + token * stride);
    else
      body((float*)data + token * stride);
  }
};

// A right operand whose columns are tokens; the sum runs over the head's elements.
template <class P>
static Right<P> packTokens(const HeadRows& rows, int64_t from, int64_t count, int64_t d, P* packed) {
  rows.visit(from, [&](auto* source) { packCols<P>(source, rows.stride, 1, count, d, packed); });
  return packedRight(packed, d);
}

// A right operand whose columns are the head's elements; the sum runs over tokens.
template <class P>
static Right<P> packFeatures(const HeadRows& rows, int64_t from, int64_t count, int64_t d, P* packed) {
  rows.visit(from, [&](auto* source) { packCols<P>(source, 1, rows.stride, d, count, packed); });
  return packedRight(packed, count);
}

// The part of a packed right operand from a column (a multiple of kTileCols) and from an element along k (even for pairs).
template <class P>
static RF_INLINE Right<P> part(Right<P> right, int64_t column, int64_t k) {
  return {right.data + column / kTileCols * right.panelStride + k / kUnitSize<P> * kTileCols, right.panelStride};
}

// A left operand whose rows are tokens. Copied, so that its rows lie close together whatever the tensor's stride.
template <class P>
static Left<P> copyTokens(const HeadRows& rows, int64_t from, int64_t count, int64_t d, P* copy) {
  const int64_t units = unitsOf<P>(d), stride = roundUp(units, kLanes);
  rows.visit(from, [&](auto* source) {
    using Source = std::remove_pointer_t<decltype(source)>;
    for (int64_t t = 0; t < count; t++)
      for (int64_t u = 0; u < units; u += kLanes) {
        const int64_t k = u * kUnitSize<P>;
        *(vu_unaligned*)(copy + t * stride + u) = AlongK<P, Source>::load(source + t * rows.stride + k, d - k);
      }
  });
  return rowMajorLeft((const P*)copy, stride);
}
static RF_INLINE int64_t copiedUnits(int64_t count, int64_t d) { return count * roundUp(d, kLanes); }

// rows[from + t] = factor(t) * source[t]
template <class Factor>
static void storeTokens(const HeadRows& rows, int64_t from, int64_t count, int64_t d, const float* source, int64_t ld,
                        Factor&& factor) {
  rows.visit(from, [&](auto* out) {
    for (int64_t t = 0; t < count; t++) {
      const float f = factor(t);
      for (int64_t j = 0; j < d; j += kLanes) storePartial(out + t * rows.stride + j, f * load(source + t * ld + j), d - j);
    }
  });
}

// One row of bf16 pairs from two rows of a tile.
static RF_INLINE vu interleave(vf even, vf odd) {
#if RF_LANES == 16 && defined(__AVX512BF16__)
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20,
                                         4, 19, 3, 18, 2, 17, 1, 16, 0);
  return (vu)_mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)odd, (__m512)even));
#else
  bf16 low[2 * kLanes];
  store(low, even);
  store(low + kLanes, odd);
  return (vu)load(low) >> 16 | (vu)load(low + kLanes);
#endif
}

constexpr int64_t kUnitWork = 1 << 18;  // multiply-adds worth claiming on their own

// Runs body(unit, thread) for every unit, several in a row where they are small.
template <class Body>
static void parallelUnits(Pool* pool, int64_t units, int64_t multiplyAdds, Body&& body) {
  const int64_t run = max64(1, kUnitWork / multiplyAdds);
  parallel(pool, ceilDiv(units, run), [&](int64_t item, int thread) {
    for (int64_t unit = item * run; unit < min64(units, (item + 1) * run); unit++) body(unit, thread);
  });
}

// Cuts buffers out of one region; with no region it only counts.
struct Carver {
  uintptr_t next;
  template <class T>
  T* take(int64_t count) {
    T* const taken = (T*)next;
    next += roundUp(count * (int64_t)sizeof(T), 64);
    return taken;
  }
};

}  // namespace RF_NS
}  // namespace rectiflow
