// Products with few rows, C[M, N] = A[M, K] B[K, N]: adaLN's and the time embedding's, whose rows are the images of a batch.
//
// B is a layer's weights and by far the largest operand: at best such a product takes as long as reading them. So they are read
// once, where they lie in memory, and what the next register tiles will read is fetched while one multiplies. Only what has to
// become bf16, and edges, go through a buffer in the first-level cache. Sums are taken in the order of gemm.h: each element is the
// same, to the bit, as with many rows.
#pragma once
#include "gemm.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kFewRows = 64;

// All of the left operand, where it lies or in the pool's shared memory.
template <class P, class S>
static Left<P> wholeLeft(Pool* pool, Operand<S> a, int64_t M, int64_t K) {
  if (readableInPlace<P>(a, K)) return rowMajorLeft((const P*)a.data, a.stride / kUnitSize<P>);
  return stageLeft(a, M, K, (P*)pool->shared(stagedUnits<P>(a, M, K) * sizeof(P)));
}

// Lines of memory to fetch beside each unit of a register tile.
struct Ahead {
  static constexpr int kMost = kUnitSize<LowPacked> * kTileCols * (int)sizeof(float) / 64;
  const char* at[kMost];
  int count;
  int64_t stepBytes;  // from unit to unit
};

// Sums of a register tile go on: c += a b, or, at the start, c = a b.
template <class P, int R, int V>
__attribute__((noinline)) static void continueTile(int64_t units, const P* a, int64_t rowStride, int64_t unitStride, const P* b,
                                                   int64_t bStride, float* c, bool start, const Ahead& ahead) {
  constexpr int kBases = (R + 2) / 3;
  const P* base[kBases];
#pragma GCC unroll 4
  for (int i = 0; i < kBases; i++) base[i] = a + 3 * i * rowStride;
  vf sum[R][V];
#pragma GCC unroll 12
  for (int i = 0; i < R; i++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) sum[i][v] = start ? (vf){} : load(c + i * kTileCols + v * kLanes);
  const int64_t stepBytes = ahead.stepBytes;
  const int fetches = ahead.count;
  for (int64_t u = 0, step = 0; u < units; u++, step += stepBytes) {
    for (int n = 0; n < fetches; n++) __builtin_prefetch(ahead.at[n] + step);
    addProducts(base, rowStride, b, sum);
#pragma GCC unroll 4
    for (int i = 0; i < kBases; i++) base[i] += unitStride;
    b += bStride;
  }
#pragma GCC unroll 12
  for (int i = 0; i < R; i++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) store(c + i * kTileCols + v * kLanes, sum[i][v]);
}

template <class P, int R = kTileRows, int V = kTileVectors>
static RF_INLINE void continueAnyTile(int64_t rows, int64_t vectors, int64_t units, const P* a, const Left<P>& left, const P* b,
                                      int64_t bStride, float* c, bool start, const Ahead& ahead) {
  if constexpr (R > 1)
    if (rows < R) return continueAnyTile<P, R - 1, V>(rows, vectors, units, a, left, b, bStride, c, start, ahead);
  if constexpr (V > 1)
    if (vectors < V) return continueAnyTile<P, R, V - 1>(rows, vectors, units, a, left, b, bStride, c, start, ahead);
  continueTile<P, R, V>(units, a, left.rowStride, left.unitStride, b, bStride, c, start, ahead);
}

constexpr int64_t kBlockUnits = 64;  // along K

// Where the columns of B lie side by side. An item goes down a panel of columns in blocks that fit the first-level cache; all
// rows of A pass over each.
template <class P, class SA, class SB, class Visitor>
static void fewRowsAcross(Pool* pool, int64_t M, int64_t N, int64_t K, Operand<SA> a, Operand<SB> b, const Visitor& visitor) {
  const Left<P> left = wholeLeft<P>(pool, a, M, K);
  const int64_t chunk = chunkOfK<P>(K), block = kBlockUnits * kUnitSize<P>, rowTiles = ceilDiv(M, kTileRows);
  parallel(pool, ceilDiv(N, kTileCols), [&](int64_t panel, int thread) {
    const int64_t col = panel * kTileCols, cols = min64(kTileCols, N - col), vectors = ceilDiv(cols, kLanes);
    const bool inPlace = kSameLayout<P, SB> && kUnitSize<P> == 1 && cols % kLanes == 0;
    float* const sums = (float*)pool->scratch(thread, (2 * M + kBlockUnits) * kTileCols * sizeof(float));
    float* const totals = sums + M * kTileCols;
    P* const packed = (P*)(totals + M * kTileCols);
    visitor.prefetch(0, M, col, cols);
    for (int64_t k0 = 0, k; k0 < K; k0 += k) {
      k = min64(min64(block, chunk - k0 % chunk), K - k0);
      const int64_t units = unitsOf<P>(k);
      const SB* const from = b.data + col + k0 * b.kStride;
      if (!inPlace) packAcross<RightPanel>(PlainRows<SB>{from, b.kStride}, cols, k, packed, 0);
      // The block below, or the first one of the panel beside it.
      const SB* const next = k0 + k < K ? from + k * b.kStride : b.data + min64(N - 1, col + kTileCols);
      const int64_t lines = ceilDiv(cols * (int64_t)sizeof(SB), 64), fetches = lines * kUnitSize<P>;
      for (int64_t tile = 0; tile < rowTiles; tile++) {
        Ahead ahead;
        ahead.count = 0;
        ahead.stepBytes = b.kStride * kUnitSize<P> * (int64_t)sizeof(SB);
        for (int64_t n = tile * fetches / rowTiles; n < (tile + 1) * fetches / rowTiles; n++)
          ahead.at[ahead.count++] = (const char*)(next + n / lines * b.kStride) + n % lines * 64;
        continueAnyTile<P>(M - tile * kTileRows, vectors, units,
                           left.data + tile * left.tileStride + k0 / kUnitSize<P> * left.unitStride, left,
                           inPlace ? (const P*)from : packed, inPlace ? b.kStride : kTileCols,
                           sums + tile * kTileRows * kTileCols, k0 % chunk == 0, ahead);
      }
      if (K <= chunk || ((k0 + k) % chunk && k0 + k < K)) continue;
      for (int64_t i = 0; i < M * kTileCols; i += kLanes)
        store(totals + i, k0 < chunk ? load(sums + i) : load(totals + i) + load(sums + i));
    }
    visitor.finish(0, M, col, cols, (const float*)(K <= chunk ? sums : totals), (int64_t)kTileCols);
  });
}

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
  constexpr int R = kTallRows<V>, kBases = (R + 2) / 3;
  constexpr int64_t line = 64 / sizeof(S);
  const P* base[kBases];
#pragma GCC unroll 8
  for (int i = 0; i < kBases; i++) base[i] = a + 3 * i * rowStride;
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
#pragma GCC unroll 8
      for (int i = 0; i < kBases; i++) base[i]++;
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
static void fewRowsAlong(Pool* pool, int64_t M, int64_t N, int64_t K, Operand<SA> a, Operand<SB> b, const Visitor& visitor) {
  constexpr int64_t R = kTallRows<V>, width = V * kLanes, tileFloats = kRowBlock * kTileCols;
  static_assert(kRowBlock % R == 0, "whole tiles");
  const int64_t panelStride = unitsOf<P>(K) * width, panels = ceilDiv(M, width), chunk = chunkOfK<P>(K);
  P* const packed = (P*)pool->shared(panels * panelStride * sizeof(P));
  pack<NarrowPanel<V>>(a.data, a.stride, a.kStride, M, K, packed);
  // Rows a multiple of half a page apart would all compete for a few lines of the cache.
  const bool inPlace = readableInPlace<P>(b, K) && b.stride * (int64_t)sizeof(SB) % 2048;
  const int64_t stagedStride = copiedStride(unitsOf<P>(min64(K, chunk)));
  const TransposedVisitor<Visitor> turned(visitor);
  parallel(pool, ceilDiv(N, kRowBlock), [&](int64_t item, int thread) {
    const int64_t col = item * kRowBlock, cols = min64(kRowBlock, N - col);
    float* const sums = (float*)pool->scratch(thread, (panels * tileFloats + R * stagedStride) * sizeof(float));
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

// The product for any shape.
template <class P, class SA, class SB, class Visitor>
static void gemm(Pool* pool, int64_t M, int64_t N, int64_t K, Operand<SA> a, Operand<SB> b, const Visitor& visitor) {
  if (M > kFewRows) return gemmRowBlocks<P>(pool, M, N, K, a, b, visitor);
  if (b.stride == 1) return fewRowsAcross<P>(pool, M, N, K, a, b, visitor);
  if (M <= kLanes) return fewRowsAlong<P, 1>(pool, M, N, K, a, b, visitor);
  if (kTileVectors == 2 || M <= 2 * kLanes) return fewRowsAlong<P, 2>(pool, M, N, K, a, b, visitor);
  if constexpr (kTileVectors > 2)
    if (kTileVectors == 3 || M <= 3 * kLanes) return fewRowsAlong<P, 3>(pool, M, N, K, a, b, visitor);
  if constexpr (kTileVectors > 3) fewRowsAlong<P, 4>(pool, M, N, K, a, b, visitor);
}

}  // namespace RF_NS
}  // namespace rectiflow
