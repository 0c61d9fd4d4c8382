// Threaded matrix product: C[M, N] = A[M, K] B[K, N] with a function applied to each finished piece of C.
//
// B is packed once, by all threads, into memory they share. C is then cut into blocks of at most kRowBlock rows that the threads
// claim one by one. The rows of A that a block needs are read where they lie if their layout allows it, else packed into the
// thread's own cache. While a panel of B (a few tens of KiB) sits in the first-level cache, all rows of the block pass over it;
// the finished piece, still in cache, goes to `finish`, which adds a bias, applies an activation or converts to bf16. Where K
// is long it is cut so that the block's share of A stays in the second-level cache, and the sums wait in a tile of floats.
//
// Each element is the sum, in order, of sums over pieces of K that depend on K alone: the result is the same for any number of
// threads and any cut of M and N.
#pragma once
#include "pack.h"

namespace rectiflow {
namespace RF_NS {

// Element (i, k) of an operand is data[i*stride + k*kStride], i being a row of A or a column of B. One of the strides is 1.
template <class S>
struct Operand {
  const S* data;
  int64_t stride, kStride;
};

constexpr int64_t kRowBlock = 48 / kTileRows * kTileRows;
constexpr int64_t kUnitBlock = 1024;              // along K, at most
constexpr int64_t kWaitingFloats = kRowBlock * 512;  // of unfinished sums per thread
constexpr int64_t kSmallestItem = 1 << 18;        // multiply-adds worth handing to a thread
constexpr int64_t kFewRows = 64;

struct Blocking {
  int64_t rows, panels;          // of an item
  int64_t rowBlocks, colBlocks;  // items
  int64_t k, chunks;             // elements along K per chunk
};

template <class P>
static Blocking chooseBlocking(int64_t M, int64_t N, int64_t K, int threads) {
  Blocking b;
  const int64_t units = max64(1, unitsOf<P>(K)), panels = ceilDiv(N, kTileCols);
  b.chunks = ceilDiv(units, kUnitBlock);
  b.k = ceilDiv(ceilDiv(units, b.chunks), 16) * 16 * kUnitSize<P>;
  // Several items per thread even out unequal speeds; items of few columns make poor use of a packed block of A.
  const int64_t wanted = 8 * threads;
  b.rows = kRowBlock;
  while (b.rows > kTileRows && ceilDiv(M, b.rows) * panels < wanted) b.rows = ceilDiv(b.rows / 2, kTileRows) * kTileRows;
  b.rowBlocks = ceilDiv(M, b.rows);
  const int64_t leastPanels = ceilDiv(kSmallestItem, b.rows * K * kTileCols);
  b.panels = max64(leastPanels, panels / ceilDiv(wanted, b.rowBlocks));
  if (b.chunks > 1) b.panels = min64(b.panels, kWaitingFloats / (b.rows * kTileCols));
  b.panels = min64(max64(b.panels, 1), panels);
  b.colBlocks = ceilDiv(panels, b.panels);
  return b;
}

// Packs the right operand with all threads. The result stands in the pool's shared memory.
template <class P, class S>
static Right<P> packShared(Pool* pool, Operand<S> b, int64_t N, int64_t K) {
  P* packed = (P*)pool->shared(packedColsBytes<P>(N, K));
  const int64_t panels = ceilDiv(N, kTileCols), panelSize = kTileCols * unitsOf<P>(K);
  const int64_t perItem = max64(ceilDiv(panels, 4 * pool->threads()), ceilDiv(1 << 14, panelSize));
  parallel(pool, ceilDiv(panels, perItem), [&](int64_t item, int) {
    const int64_t panel = item * perItem, col = panel * kTileCols;
    packCols<P>(b.data + col * b.stride, b.stride, b.kStride, min64(N - col, perItem * kTileCols), K, packed + panel * panelSize);
  });
  return packedRight(packed, K);
}

template <class P, class S>
constexpr bool kSameLayout = false;
template <>
constexpr bool kSameLayout<float, float> = true;
template <>
constexpr bool kSameLayout<uint32_t, bf16> = true;

// Rows that lie a multiple of this far apart compete for the same few lines of the caches.
constexpr int64_t kConflictBytes = 4096;

template <class P, class S>
static bool readableInPlace(Operand<S> a, int64_t K) {
  return kSameLayout<P, S> && a.kStride == 1 && K % kUnitSize<P> == 0 && a.stride % kUnitSize<P> == 0 &&
         a.stride * (int64_t)sizeof(S) % kConflictBytes != 0;
}

static RF_INLINE int64_t stagedStride(int64_t units) { return ceilDiv(units, 16) * 16 + 16; }

// A block of the left operand, ready for the tile: in place, copied row by row (converted), or packed. The buffer holds
// rows * stagedStride(units) units.
template <class P, class S>
static Left<P> leftBlock(Operand<S> a, bool inPlace, int64_t rows, int64_t k, P* buffer) {
  if (inPlace) return rowMajorLeft((const P*)a.data, a.stride / kUnitSize<P>);
  if (a.kStride != 1) {
    packRows(a.data, a.stride, a.kStride, rows, k, buffer);
    return packedLeft(buffer, k);
  }
  const int64_t units = unitsOf<P>(k), stride = stagedStride(units);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t u = 0; u < units; u += kLanes)
      *(vu_unaligned*)(buffer + i * stride + u) =
          AlongK<P, S>::load(a.data + i * a.stride + u * kUnitSize<P>, k - u * kUnitSize<P>);
  return rowMajorLeft(buffer, stride);
}

struct IgnoreLeft {
  void operator()(int64_t, int64_t, int64_t, int64_t) const {}
};

// finish(row0, rows, col0, cols, tile, ld): C[row0 + i, col0 + j] = tile[i*ld + j] is complete. Called once for every element.
// seen(row0, rows, k0, k): that part of A has just been read; called once for every element, by one thread for a given row and
// in the order of k.
template <class P, class SA, class SB, class Finish, class Seen = IgnoreLeft>
static void blockedGemm(Pool* pool, int64_t M, int64_t N, int64_t K, Operand<SA> a, Operand<SB> b, Finish&& finish,
                        Seen&& seen = Seen()) {
  const Right<P> packed = packShared<P>(pool, b, N, K);
  const Blocking by = chooseBlocking<P>(M, N, K, pool->threads());
  const bool inPlace = readableInPlace<P>(a, K);
  const int64_t waiting = by.rows * kTileCols * (by.chunks > 1 ? by.panels : 1);
  const int64_t staged = inPlace ? 0 : by.rows * stagedStride(unitsOf<P>(by.k));
  parallel(pool, by.rowBlocks * by.colBlocks, [&](int64_t item, int thread) {
    const int64_t row = item / by.colBlocks * by.rows, rows = min64(by.rows, M - row);
    const int64_t firstCol = item % by.colBlocks * by.panels * kTileCols;
    const int64_t lastCol = min64(N, firstCol + by.panels * kTileCols);
    float* sums = (float*)pool->scratch(thread, (waiting + staged) * 4);
    for (int64_t chunk = 0; chunk < by.chunks; chunk++) {
      const int64_t k0 = chunk * by.k, k = min64(by.k, K - k0);
      const Operand<SA> part = {a.data + row * a.stride + k0 * a.kStride, a.stride, a.kStride};
      const Left<P> left = leftBlock<P>(part, inPlace, rows, k, (P*)(sums + waiting));
      if (firstCol == 0) seen(row, rows, k0, k);
      float* tile = sums;
      for (int64_t col = firstCol; col < lastCol; col += kTileCols) {
        const int64_t cols = min64(kTileCols, lastCol - col);
        const Right<P> right = {packed.data + col / kTileCols * packed.panelStride + k0 / kUnitSize<P> * kTileCols, 0};
        multiply(rows, ceilDiv(cols, kLanes) * kLanes, k, left, right, tile, kTileCols, chunk > 0);
        if (chunk + 1 == by.chunks) finish(row, rows, col, cols, (const float*)tile, (int64_t)kTileCols);
        if (by.chunks > 1) tile += by.rows * kTileCols;
      }
    }
  });
}

// The product for any shape. With few rows, packing B would cost more than the product; C^T = B^T A^T is computed instead, so
// that the large operand is the one that is read in place.
template <class P, class SA, class SB, class Finish>
static void gemm(Pool* pool, int64_t M, int64_t N, int64_t K, Operand<SA> a, Operand<SB> b, Finish&& finish) {
  if (M > kFewRows || N <= M) return blockedGemm<P>(pool, M, N, K, a, b, finish);
  blockedGemm<P>(pool, N, M, K, b, a, [&](int64_t col, int64_t cols, int64_t row, int64_t rows, const float* tile, int64_t ld) {
    constexpr int64_t kPadded = (kRowBlock + kLanes - 1) / kLanes * kLanes;
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
    finish(row, rows, col, cols, (const float*)turned, kPadded);
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
