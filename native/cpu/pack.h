// Packing the operands of a matrix product into panels (see tile.h): element (i, k) of the source is at
// source[i*stride + k*kStride], i being a row of the left operand or a column of the right one, and lands in
// panel[i / W][unit(k) * W + i % W]. Panels are padded with zeros, also at an odd k of bf16 pairs.
//
// One of the two strides must be 1. Where neighbouring i are contiguous, packing copies vectors (and interleaves two rows into
// pairs); where k is contiguous, it transposes square blocks in registers.
#pragma once
#include "tile.h"
#include "transpose.h"

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

// The first n of kLanes neighbouring units along k, where k is contiguous; remaining counts elements up to the end of k.
template <class P, class S>
struct AlongK;
template <class S>
struct AlongK<float, S> {
  static RF_INLINE vu load(const S* p, int64_t remaining) { return (vu)loadPartial(p, remaining); }
};
template <class S>
struct AlongK<uint32_t, S> {
  static RF_INLINE vu load(const S* p, int64_t remaining) {
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

// One unit of the first n of kLanes neighbouring rows or columns, where those are contiguous.
template <class P, class S>
struct Across;
template <class S>
struct Across<float, S> {
  static RF_INLINE vu load(const S* p, int64_t, bool, int64_t n) { return (vu)loadPartial(p, n); }
};
template <class S>
struct Across<uint32_t, S> {
  static RF_INLINE vu bits(const S* p, int64_t n) {
    bf16 low[kLanes];
    store(low, loadPartial(p, n));
    return (vu)RF_NS::load(low);
  }
  static RF_INLINE vu load(const S* p, int64_t kStride, bool hasOdd, int64_t n) {
    const vu even = bits(p, n) >> 16;
    return hasOdd ? even | bits(p + kStride, n) : even;
  }
};
template <>
RF_INLINE vu Across<uint32_t, bf16>::bits(const bf16* p, int64_t n) { return (vu)loadPartial(p, n); }

// Stores W of the lanes, or all of them where the excess lands on units that this panel has yet to write.
template <int W, class P>
static RF_INLINE void putUnit(P* panel, vu lanes, int64_t unitsLeft) {
  static_assert(W < kLanes || W % kLanes == 0, "a panel is part of one vector or whole vectors");
  if (W < kLanes && unitsLeft * W < kLanes)
    memcpy(panel, &lanes, W * sizeof(P));
  else
    *(vu_unaligned*)panel = lanes;
}

template <int W, class P, class S>
static void packAcross(const S* source, int64_t kStride, int64_t count, int64_t k, P* packed) {
  const int64_t units = unitsOf<P>(k), step = kUnitSize<P>;
  // A few rows of the source at a time, so that the panels share the cache lines they cut through.
  constexpr int64_t kBlock = 32;
  for (int64_t from = 0; from < units; from += kBlock) {
    const int64_t to = min64(from + kBlock, units);
    P* panel = packed;
    for (int64_t p = 0; p < count; p += W, panel += W * units)
      for (int64_t u = from; u < to; u++)
#pragma GCC unroll 4
        for (int m = 0; m < W; m += kLanes) {
          const vu lanes = Across<P, S>::load(source + u * step * kStride + p + m, kStride, u * step + 1 < k, min64(W, count - p) - m);
          putUnit<W>(panel + u * W + m, lanes, units - u);
        }
  }
}

template <int W, class P, class S>
static void packAlong(const S* source, int64_t stride, int64_t count, int64_t k, P* panel) {
  const int64_t units = unitsOf<P>(k), step = kUnitSize<P>;
  for (int64_t p = 0; p < count; p += W, panel += W * units)
    for (int64_t from = 0; from < units; from += kLanes)
      for (int m = 0; m < W; m += kLanes) {
        const int64_t rows = min64(W, count - p) - m;
        vu block[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; i++)
          block[i] = i < rows ? AlongK<P, S>::load(source + (p + m + i) * stride + from * step, k - from * step) : (vu){};
        transpose(block);
        for (int64_t i = 0; i < min64(kLanes, units - from); i++)
          putUnit<W>(panel + (from + i) * W + m, block[i], units - from - i);
      }
}

template <int W, class P, class S>
static void packPanels(const S* source, int64_t stride, int64_t kStride, int64_t count, int64_t k, P* packed) {
  if (stride == 1)
    packAcross<W>(source, kStride, count, k, packed);
  else
    packAlong<W>(source, stride, count, k, packed);
}

template <class P>
static RF_INLINE int64_t packedRowsBytes(int64_t rows, int64_t k) {
  return ceilDiv(rows, kTileRows) * kTileRows * unitsOf<P>(k) * (int64_t)sizeof(P);
}
template <class P>
static RF_INLINE int64_t packedColsBytes(int64_t cols, int64_t k) {
  return ceilDiv(cols, kTileCols) * kTileCols * unitsOf<P>(k) * (int64_t)sizeof(P);
}
template <class P, class S>
static RF_INLINE void packRows(const S* source, int64_t rowStride, int64_t kStride, int64_t rows, int64_t k, P* packed) {
  packPanels<kTileRows>(source, rowStride, kStride, rows, k, packed);
}
template <class P, class S>
static RF_INLINE void packCols(const S* source, int64_t colStride, int64_t kStride, int64_t cols, int64_t k, P* packed) {
  packPanels<kTileCols>(source, colStride, kStride, cols, k, packed);
}

}  // namespace RF_NS
}  // namespace rectiflow
