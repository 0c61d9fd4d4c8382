// A product with few rows (few_rows.h), where the columns of B lie side by side.
#pragma once
#include "gemm.h"

namespace rectiflow {
namespace RF_NS {

static constexpr int64_t linesOf(int64_t cols, size_t bytesEach) { return (cols * (int64_t)bytesEach + 63) / 64; }

// Lines of memory to fetch beside each unit of a register tile.
struct Ahead {
  const char* at[kUnitSize<LowPacked> * linesOf(kTileCols, sizeof(float))];
  int count;
  int64_t stepBytes;  // from unit to unit
};

// Sums of a register tile go on: c += a b, or, at the start, c = a b.
template <class P, int R, int V>
__attribute__((noinline)) static void continueTile(int64_t units, const P* a, int64_t rowStride, int64_t unitStride, const P* b,
                                                   int64_t bStride, float* c, bool start, const Ahead& ahead) {
  const P* base[kBases<R>];
  pointAtRows(a, rowStride, base);
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
    moveAlong(base, unitStride);
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
static void fewRowsAcross(const Call& call, int64_t M, int64_t N, int64_t K, Operand<SA> a, Operand<SB> b, const Visitor& visitor) {
  const bool leftInPlace = readableInPlace<P>(a, K);
  const int64_t staged = leftInPlace ? 0 : stagedUnits<P>(a, M, K), floats = (2 * M + kBlockUnits) * kTileCols;
  if (!call.reserve(staged * sizeof(P), floats * sizeof(float))) return;
  const Left<P> left =
      leftInPlace ? rowMajorLeft((const P*)a.data, a.stride / kUnitSize<P>) : stageLeft(a, M, K, (P*)call.shared());
  const int64_t chunk = chunkOfK<P>(K), block = kBlockUnits * kUnitSize<P>, rowTiles = ceilDiv(M, kTileRows);
  parallel(call.pool, ceilDiv(N, kTileCols), [&](int64_t panel, int thread) {
    const int64_t col = panel * kTileCols, cols = min64(kTileCols, N - col), vectors = ceilDiv(cols, kLanes);
    const bool inPlace = kSameLayout<P, SB> && kUnitSize<P> == 1 && cols % kLanes == 0;
    float* const sums = (float*)call.own(thread);
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
      const int64_t lines = linesOf(cols, sizeof(SB)), fetches = lines * kUnitSize<P>;
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

}  // namespace RF_NS
}  // namespace rectiflow
