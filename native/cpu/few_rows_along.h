// A product with few rows (few_rows.h), where the columns of B lie along k: C^T = B^T A^T.
#pragma once
#include "gemm.h"

namespace rectiflow {
namespace RF_NS {

// Shows the parts of C^T to a visitor of C.
template <class Visitor>
struct TransposedVisitor : GemmVisitor {
  const Visitor& visitor;
  explicit TransposedVisitor(const Visitor& v) : visitor(v) {}

  void prefetch(int64_t col, int64_t cols, int64_t row, int64_t rows) const { visitor.prefetch(row, rows, col, cols); }
  void finish(int64_t col, int64_t cols, int64_t row, int64_t rows, const float* tile, int64_t ld) const {
    constexpr int64_t kPadded = kRowBlock;
    float turned[kTileCols * kPadded];
    for (int64_t j = 0; j < cols; j += kLanes)
      for (int64_t i = 0; i < rows; i += kLanes) {
        vu block[kLanes];
#pragma GCC unroll 16
        for (int q = 0; q < kLanes; q++) block[q] = j + q < cols ? *(const vu_unaligned*)(tile + (j + q) * ld + i) : (vu){};
        transpose(block);
#pragma GCC unroll 16
        for (int q = 0; q < kLanes; q++) *(vu_unaligned*)(turned + (i + q) * kPadded + j) = block[q];
      }
    visitor.finish(row, rows, col, cols, (const float*)turned, kPadded);
  }
};

// A panel of V vectors of columns.
template <int V>
struct NarrowPanel {
  static constexpr int width = V * kLanes, stride = V * kLanes;
};
// Rows of a register tile of V vectors: as many sums as in tile.h.
template <int V>
constexpr int kTallRows = kTileRows * kTileVectors / V;

// What to fetch while a tall tile multiplies: so many elements along k ahead, of the tile's own rows and then of the next ones.
template <class S>
struct RowsAhead {
  const S *own, *next;
  int64_t stride, elements;
};

// c[R, V vectors] = a b, or += a b.
template <class P, int V, class S>
__attribute__((noinline)) static void tallTile(int64_t k, const P* a, int64_t rowStride, const P* b, float* c, bool accumulate,
                                               const RowsAhead<S>& ahead) {
  constexpr int R = kTallRows<V>;
  constexpr int64_t line = 64 / sizeof(S);
  const P* base[kBases<R>];
  pointAtRows(a, rowStride, base);
  vf sum[R][V];
#pragma GCC unroll 24
  for (int i = 0; i < R; i++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) sum[i][v] = (vf){};
  for (int64_t from = 0; from < k; from += line) {
    const int64_t at = from + ahead.elements;
    const S* fetched = at < k ? ahead.own + at : ahead.next + (at - k);
    for (int i = 0; i < R; i++, fetched += ahead.stride) __builtin_prefetch(fetched);
    for (int64_t u = unitsOf<P>(min64(k - from, line)); u > 0; u--) {
      addProducts(base, rowStride, b, sum);
      moveAlong(base, 1);
      b += V * kLanes;
    }
  }
#pragma GCC unroll 24
  for (int i = 0; i < R; i++, c += kTileCols)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) store(c + v * kLanes, accumulate ? load(c + v * kLanes) + sum[i][v] : sum[i][v]);
}

constexpr int64_t kFetchedAhead = 512;  // bytes of a row: some hundred nanoseconds

// Copies rows that are contiguous along k, converting them where they have to be; those that are missing repeat the last.
template <class P, class S>
static void stageRows(const S* source, int64_t stride, int64_t present, int64_t rows, int64_t k, P* staged, int64_t stagedStride) {
  for (int64_t i = 0; i < rows; i++, staged += stagedStride) {
    const S* const row = source + min64(i, present - 1) * stride;
    for (int64_t u = 0; u * kUnitSize<P> < k; u += kLanes)
      *(vu_unaligned*)(staged + u) = AlongK<P, S>::load(row + u * kUnitSize<P>, k - u * kUnitSize<P>);
  }
}

// Where the columns of B lie along k: C^T = B^T A^T, B^T's rows read where they lie and broadcast. A^T is packed into one panel of
// V vectors that holds all rows of A, or, with V = kTileVectors, into several.
template <class P, int V, class SA, class SB, class Visitor>
static void fewRowsAlong(const Call& call, int64_t M, int64_t N, int64_t K, Operand<SA> a, Operand<SB> b, const Visitor& visitor) {
  constexpr int64_t R = kTallRows<V>, width = V * kLanes, tileFloats = kRowBlock * kTileCols;
  static_assert(kRowBlock % R == 0, "whole tiles");
  const int64_t panelStride = unitsOf<P>(K) * width, panels = ceilDiv(M, width), chunk = chunkOfK<P>(K);
  const int64_t stagedStride = copiedStride(unitsOf<P>(min64(K, chunk)));
  if (!call.reserve(panels * panelStride * sizeof(P), (panels * tileFloats + R * stagedStride) * sizeof(float))) return;
  P* const packed = (P*)call.shared();
  pack<NarrowPanel<V>>(a.data, a.stride, a.kStride, M, K, packed);
  // Rows a multiple of half a page apart would all compete for a few lines of the cache.
  const bool inPlace = readableInPlace<P>(b, K) && b.stride * (int64_t)sizeof(SB) % 2048;
  const TransposedVisitor<Visitor> turned(visitor);
  parallel(call.pool, ceilDiv(N, kRowBlock), [&](int64_t item, int thread) {
    const int64_t col = item * kRowBlock, cols = min64(kRowBlock, N - col);
    float* const sums = (float*)call.own(thread);
    P* const staged = (P*)(sums + panels * tileFloats);
    for (int64_t panel = 0; panel < panels; panel++)
      turned.prefetch(col, cols, panel * width, min64(width, M - panel * width));
    for (int64_t tile = 0; tile < cols; tile += R)
      for (int64_t k0 = 0; k0 < K; k0 += chunk) {
        const int64_t k = min64(chunk, K - k0), present = min64(R, cols - tile);
        const SB* const own = b.data + (col + tile) * b.stride + k0;
        const SB* const next = k0 + k < K ? own + k : b.data + min64(N - 1, col + tile + R) * b.stride;
        const bool direct = inPlace && present == R;
        if (!direct) stageRows(own, b.stride, present, R, k, staged, stagedStride);
        const P* const left = direct ? (const P*)own : staged;
        const RowsAhead<SB> ahead = {own, next, b.stride, direct ? min64(k, kFetchedAhead / (int64_t)sizeof(SB)) : k};
        for (int64_t panel = 0; panel < panels; panel++)
          tallTile<P, V>(k, left, direct ? b.stride / kUnitSize<P> : stagedStride,
                         packed + panel * panelStride + k0 / kUnitSize<P> * width, sums + panel * tileFloats + tile * kTileCols,
                         k0 > 0, ahead);
      }
    for (int64_t panel = 0; panel < panels; panel++)
      turned.finish(col, cols, panel * width, min64(width, M - panel * width), sums + panel * tileFloats, kTileCols);
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
