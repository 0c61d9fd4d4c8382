// Packing the operands of a matrix product into panels (see tile.h): element (i, k) of the source is at
// source[i*stride + k*kStride], i being a row of the left operand or a column of the right one, and lands in
// panel[i / W][unit(k) * stride + i % W]. Panels are padded with zeros to W, also at an odd k of bf16 pairs.
//
// One of the two strides must be 1. Where neighbouring i are contiguous, packing copies vectors (and interleaves two rows into
// pairs); where k is contiguous, it transposes square blocks in registers.
#pragma once
#include "transpose.h"
#include "units.h"

namespace rectiflow {
namespace RF_NS {

// A panel of the left operand holds kTileRows rows, kPackedRows units apart along k, or those of two blocks; one of the right
// operand holds kTileCols columns.
struct LeftPanel {
  static constexpr int width = kTileRows, stride = kPackedRows;
};
struct BlockPanel {
  static constexpr int width = 2 * kRowBlock, stride = 2 * kRowBlock;
};
struct RightPanel {
  static constexpr int width = kTileCols, stride = kTileCols;
};

// Stores as many lanes as fit between two units; those past the panel's width have no meaning.
template <class Panel, class P>
static RF_INLINE void putUnit(P* panel, vu lanes) {
  static_assert(Panel::stride < kLanes || Panel::stride % kLanes == 0, "part of one vector, or whole vectors");
  if constexpr (Panel::stride < kLanes)
    memcpy(panel, &lanes, Panel::stride * sizeof(P));
  else
    *(vu_unaligned*)panel = lanes;
}

// What packAcross reads: rows along k, whose elements are neighbours. read() gives some elements of a row, at most 2 * kLanes, where
// they lie in memory or made in a buffer of the caller's; fetch() fetches the cache line that a read will begin with; from() is
// what lies below a row and right of an element.
template <class S>
struct PlainRows {
  using Element = S;
  const S* data;
  int64_t stride;

  RF_INLINE const S* at(int64_t row, int64_t i) const { return data + row * stride + i; }
  PlainRows from(int64_t row, int64_t i) const { return {at(row, i), stride}; }
  RF_INLINE void fetch(int64_t row, int64_t i) const { __builtin_prefetch(at(row, i)); }
  RF_INLINE const S* read(int64_t row, int64_t i, int64_t, S*) const { return at(row, i); }
};

// Packs a unit of V vectors of neighbours, of which `lanes` count, and adds it to sums.
template <class Panel, int V, bool kSum, class P, class S>
static RF_INLINE void packUnit(const S* even, const S* odd, int64_t lanes, P* panel, float* sums) {
  vu packed[V];
  if (V == 2 && kInterleaves<P, S> && lanes >= 2 * kLanes && odd)
    interleave(even, odd, packed);
  else
    for (int v = 0; v < V; v++)
      packed[v] = Across<P, S>::load(even + v * kLanes, odd ? odd + v * kLanes : nullptr, lanes - v * kLanes);
  for (int v = 0; v < V; v++) {
    putUnit<Panel>(panel + v * kLanes, packed[v]);
    if constexpr (kSum) store(sums + v * kLanes, multiplyAdd(kOnes<P>, packed[v], load(sums + v * kLanes)));
  }
}
// Units [from, to) of V vectors of neighbours, the i-th of a row and those after it; `left` come before the end of the row.
template <class Panel, int V, bool kSum, class P, class Rows>
static RF_INLINE void packStrip(const Rows& rows, int64_t i, int64_t from, int64_t to, int64_t k, int64_t left, P* panel,
                                float* sums) {
  using S = typename Rows::Element;
  constexpr int64_t step = kUnitSize<P>;
  const int64_t lanes = min64(left, V * kLanes);
  float sum[V * kLanes];
  for (int v = 0; kSum && v < V; v++) store(sum + v * kLanes, load(sums + v * kLanes));
  for (int64_t u = from, row = from * step; u < to; u++, row += step) {
    S made[2][V * kLanes];
    const S* const even = rows.read(row, i, lanes, made[0]);
    const S* const odd = step == 2 && row + 1 < k ? rows.read(row + 1, i, lanes, made[1]) : nullptr;
    packUnit<Panel, V, kSum>(even, odd, lanes, panel + u * Panel::stride, sum);
  }
  for (int v = 0; kSum && v < V; v++) store(sums + v * kLanes, load(sum + v * kLanes));
}

// Panels are panelStride apart, which is more than they fill when only a part of k is packed. kSum: adds the packed elements
// along k to sums[count], which has room for whole panels.
//
// The source is crossed in bands of a few rows: long enough for whole cache lines in every panel, few enough to stay in the
// cache while the panels cut through their lines. Neither the rows of a band nor the panels are far-reaching streams that the
// hardware would foresee, so the source is fetched ahead of its use.
template <class Panel, bool kSum = false, class P, class Rows>
static void packAcross(const Rows& rows, int64_t count, int64_t k, P* packed, int64_t panelStride, float* sums = nullptr) {
  constexpr int64_t step = kUnitSize<P>, band = 8, line = 64 / (int64_t)sizeof(typename Rows::Element);
  constexpr int64_t pair = Panel::stride % (2 * kLanes) == 0 ? 2 * kLanes : 0;
  const int64_t units = unitsOf<P>(k), ahead = max64(2 * Panel::width, 3 * line);
  for (int64_t from = 0; from < units; from += band) {
    const int64_t to = min64(from + band, units);
    P* panel = packed;
    for (int64_t p = 0; p < count; p += Panel::width, panel += panelStride) {
      const bool wraps = p + ahead >= count;
      for (int64_t row = from * step; row < min64(k, to * step); row++)
        for (int64_t i = 0; i < Panel::width; i += line)
          rows.fetch(row + (wraps ? band * step : 0), p + ahead - (wraps ? count : 0) + i);
      for (int64_t m = 0; m < Panel::stride;) {
        const int64_t left = count - p - m;
        float* const sumsHere = kSum ? sums + p + m : nullptr;
        if (pair && left > kLanes) {
          packStrip<Panel, 2, kSum>(rows, p + m, from, to, k, left, panel + m, sumsHere);
          m += pair;
        } else {
          packStrip<Panel, 1, kSum>(rows, p + m, from, to, k, left, panel + m, sumsHere);
          m += kLanes;
        }
      }
    }
  }
}

template <class Panel, class P, class S>
static void packAlong(const S* source, int64_t stride, int64_t count, int64_t k, P* packed, int64_t panelStride) {
  constexpr int64_t step = kUnitSize<P>;
  const int64_t units = unitsOf<P>(k);
  P* panel = packed;
  for (int64_t p = 0; p < count; p += Panel::width, panel += panelStride)
    for (int64_t from = 0; from < units; from += kLanes)
      for (int m = 0; m < Panel::width; m += kLanes) {
        const int64_t rows = min64(Panel::width, count - p) - m;
        vu block[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; i++)
          block[i] = i < rows ? AlongK<P, S>::load(source + (p + m + i) * stride + from * step, k - from * step) : (vu){};
        transpose(block);
        for (int64_t i = 0; i < min64(kLanes, units - from); i++)
          putUnit<Panel>(panel + (from + i) * Panel::stride + m, block[i]);
      }
}

template <class Panel, class P>
static RF_INLINE int64_t packedBytes(int64_t count, int64_t k) {
  return ceilDiv(count, Panel::width) * Panel::stride * unitsOf<P>(k) * (int64_t)sizeof(P);
}
template <class Panel, class P, class S>
static void pack(const S* source, int64_t stride, int64_t kStride, int64_t count, int64_t k, P* packed) {
  const int64_t panelStride = Panel::stride * unitsOf<P>(k);
  if (stride == 1)
    packAcross<Panel>(PlainRows<S>{source, kStride}, count, k, packed, panelStride);
  else
    packAlong<Panel>(source, stride, count, k, packed, panelStride);
}

template <class P>
static RF_INLINE int64_t packedRowsBytes(int64_t rows, int64_t k) { return packedBytes<LeftPanel, P>(rows, k); }
template <class P>
static RF_INLINE int64_t packedColsBytes(int64_t cols, int64_t k) { return packedBytes<RightPanel, P>(cols, k); }
template <class P, class S>
static RF_INLINE void packRows(const S* source, int64_t rowStride, int64_t kStride, int64_t rows, int64_t k, P* packed) {
  pack<LeftPanel>(source, rowStride, kStride, rows, k, packed);
}
template <class P, class S>
static RF_INLINE void packCols(const S* source, int64_t colStride, int64_t kStride, int64_t cols, int64_t k, P* packed) {
  pack<RightPanel>(source, colStride, kStride, cols, k, packed);
}

}  // namespace RF_NS
}  // namespace rectiflow
