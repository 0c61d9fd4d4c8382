// Threaded matrix product: C[M, N] = A[M, K] B[K, N], each finished piece of C handed to a visitor.
//
// B is packed once, by all threads, into memory they share. C is then cut into blocks of at most kRowBlock rows, which the
// threads claim one by one. The rows of A that a block needs are read where they lie if their layout allows it, else they are
// copied or packed into the thread's own cache. While one panel of B is at hand, all rows of the block pass over it; the
// finished piece, still in the first-level cache, goes to the visitor, which adds a bias, applies an activation or converts to
// bf16. Where K is long it is cut, so that the block's share of A stays in the second-level cache, and unfinished sums wait in
// a tile of floats.
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

// A piece of C in a buffer: C[row + i, col + j] = data[i*ld + j].
struct Tile {
  int64_t row, rows, col, cols;
  float* data;
  int64_t ld;
};

// What a caller does with a product. It adds finish(row, rows, col, cols, tile, ld): the elements
// C[row + i, col + j] = tile[i*ld + j] are complete. Both are called once for every element of C.
struct GemmVisitor {
  // Makes a tile's last product (k elements, added to old sums or not), while it finishes register tiles: beside the products of
  // each the one before. `unfinished`, the last one of the tile before or empty, becomes the last one of this tile. Returns
  // false, and does nothing, where the tile is to be finished as a whole.
  template <class P>
  bool multiplyBeside(const Tile&, int64_t, Left<P>, Right<P>, bool, Tile*) const { return false; }
  // These elements of C will be finished next: time to fetch their destination into the cache.
  void prefetch(int64_t, int64_t, int64_t, int64_t) const {}
};

// Fetches a block of a row-major matrix into the cache ahead of its being written.
static RF_INLINE void prefetchBlock(const void* data, int64_t strideBytes, int64_t rows, int64_t bytes) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char*)data + i * strideBytes + at, 1);
}

constexpr int64_t kUnitBlock = 768;                  // along K, at most
constexpr int64_t kWaitingFloats = kRowBlock * 512;  // unfinished sums of an item
constexpr int64_t kSmallestItem = 1 << 18;           // multiply-adds worth handing to a thread
constexpr int64_t kSmallestPacking = 1 << 14;        // elements worth handing to a thread

// Elements along K that are summed before they join the sums of others.
template <class P>
static RF_INLINE int64_t chunkOfK(int64_t K) {
  const int64_t units = max64(1, unitsOf<P>(K));
  return ceilDiv(ceilDiv(units, ceilDiv(units, kUnitBlock)), 16) * 16 * kUnitSize<P>;
}

struct Blocking {
  int64_t rows, panels;          // of an item
  int64_t rowBlocks, colBlocks;  // items
  int64_t k, chunks;             // elements along K per chunk

  int64_t items() const { return rowBlocks * colBlocks; }
};

// Several items per thread, which even out unequal speeds, unless they become too small: first more blocks of rows, then of
// columns, since every item reads its rows of A again.
template <class P>
static Blocking chooseBlocking(int64_t M, int64_t N, int64_t K, int threads) {
  Blocking b;
  const int64_t panels = ceilDiv(N, kTileCols), wanted = 8 * threads;
  b.k = chunkOfK<P>(K);
  b.chunks = max64(1, ceilDiv(K, b.k));
  b.rows = kRowBlock;
  while (b.rows > kTileRows && ceilDiv(M, b.rows) * panels < wanted && b.rows * N * K > kSmallestItem)
    b.rows = ceilDiv(b.rows / 2, kTileRows) * kTileRows;
  b.rowBlocks = ceilDiv(M, b.rows);
  b.panels = max64(panels / ceilDiv(wanted, b.rowBlocks), ceilDiv(kSmallestItem, b.rows * max64(1, K) * kTileCols));
  if (b.chunks > 1) b.panels = min64(b.panels, kWaitingFloats / (b.rows * kTileCols));
  b.panels = min64(max64(b.panels, 1), panels);
  b.colBlocks = ceilDiv(panels, b.panels);
  return b;
}

// Sums of an item that wait for those over the rest of K, or of one panel.
static RF_INLINE int64_t waitingFloats(const Blocking& by) { return by.rows * kTileCols * (by.chunks > 1 ? by.panels : 1); }

// Panels a power of two apart would compete for the same cache lines while rows are spread over them.
static RF_INLINE int64_t paddedPanel(int64_t units) { return ceilDiv(units, 16) * 16 + 16; }

// The right operand as it is packed by all threads in the memory that they share.
template <class P>
static RF_INLINE int64_t sharedPanelStride(int64_t K) { return paddedPanel(kTileCols * unitsOf<P>(K)); }
template <class P>
static int64_t sharedRightBytes(int64_t N, int64_t K) {
  return ceilDiv(N, kTileCols) * sharedPanelStride<P>(K) * (int64_t)sizeof(P);
}
// Each thread takes columns, or rows where those are contiguous.
template <class P, class S>
static Right<P> packShared(const Call& call, Operand<S> b, int64_t N, int64_t K) {
  Pool* const pool = call.pool;
  const int64_t units = unitsOf<P>(K), panels = ceilDiv(N, kTileCols), panelStride = sharedPanelStride<P>(K);
  P* const packed = (P*)call.shared();
  const int64_t parts = max64(1, min64(4 * pool->threads(), N * K / kSmallestPacking));
  if (b.stride == 1) {
    const int64_t part = ceilDiv(units, parts);
    parallel(pool, ceilDiv(units, part), [&](int64_t item, int) {
      const int64_t u = item * part, k0 = u * kUnitSize<P>, k = min64(K - k0, part * kUnitSize<P>);
      packAcross<RightPanel>(PlainRows<S>{b.data + k0 * b.kStride, b.kStride}, N, k, packed + u * kTileCols, panelStride);
    });
  } else {
    const int64_t part = ceilDiv(panels, parts);
    parallel(pool, ceilDiv(panels, part), [&](int64_t item, int) {
      const int64_t panel = item * part, col = panel * kTileCols, cols = min64(N - col, part * kTileCols);
      packAlong<RightPanel>(b.data + col * b.stride, b.stride, cols, K, packed + panel * panelStride, panelStride);
    });
  }
  return {packed, panelStride};
}

template <class P, class S>
constexpr bool kSameLayout = false;
template <>
constexpr bool kSameLayout<float, float> = true;
template <>
constexpr bool kSameLayout<uint32_t, bf16> = true;

template <class P, class S>
static bool readableInPlace(Operand<S> a, int64_t K) {
  return kSameLayout<P, S> && a.kStride == 1 && K % kUnitSize<P> == 0 && a.stride % kUnitSize<P> == 0;
}

// A copy of rows of the left operand has this many units from row to row, so that no two rows compete.
static RF_INLINE int64_t copiedStride(int64_t units) { return ceilDiv(units, 16) * 16 + 16; }

// Some rows of the left operand, copied (and converted) or packed into a buffer of stagedUnits.
template <class P, class S>
static int64_t stagedUnits(Operand<S> a, int64_t rows, int64_t k) {
  return a.kStride != 1 ? packedRowsBytes<P>(rows, k) / (int64_t)sizeof(P) : rows * copiedStride(unitsOf<P>(k));
}
template <class P, class S>
static Left<P> stageLeft(Operand<S> a, int64_t rows, int64_t k, P* buffer) {
  if (a.kStride != 1) {
    packRows(a.data, a.stride, a.kStride, rows, k, buffer);
    return packedLeft(buffer, k);
  }
  const int64_t units = unitsOf<P>(k), stride = copiedStride(units);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t u = 0; u < units; u += kLanes)
      *(vu_unaligned*)(buffer + i * stride + u) =
          AlongK<P, S>::load(a.data + i * a.stride + u * kUnitSize<P>, k - u * kUnitSize<P>);
  return rowMajorLeft(buffer, stride);
}

// The part of a right operand from a panel and from an element along k (even for pairs).
template <class P>
static RF_INLINE Right<P> rightFrom(Right<P> b, int64_t panel, int64_t k) {
  return {b.data + panel * b.panelStride + k / kUnitSize<P> * kTileCols, b.panelStride};
}

// One item of a product: some rows and panels of C, summed over all of K in a buffer of waitingFloats.
// leftOf(row, rows, k0, k) supplies blocks of the left operand.
template <class P, class LeftOf, class Visitor>
static void multiplyItem(int64_t item, int64_t M, int64_t N, int64_t K, const Blocking& by, const LeftOf& leftOf, Right<P> b,
                         float* sums, const Visitor& visitor) {
  const int64_t row = item / by.colBlocks * by.rows, rows = min64(by.rows, M - row);
  const int64_t firstPanel = item % by.colBlocks * by.panels, lastCol = min64(N, (firstPanel + by.panels) * kTileCols);
  Tile unfinished = {};
  const auto finish = [&](Tile* tile) {
    if (tile->rows) visitor.finish(tile->row, tile->rows, tile->col, tile->cols, (const float*)tile->data, tile->ld);
    tile->rows = 0;
  };
  for (int64_t chunk = 0; chunk < by.chunks; chunk++) {
    const int64_t k0 = chunk * by.k, k = max64(0, min64(by.k, K - k0));
    const bool last = chunk + 1 == by.chunks;
    const Left<P> left = leftOf(row, rows, k0, k);
    float* at = sums;
    for (int64_t col = firstPanel * kTileCols; col < lastCol; col += kTileCols) {
      Tile tile = {row, rows, col, min64(kTileCols, lastCol - col), at, kTileCols};
      const Right<P> right = rightFrom(b, col / kTileCols, k0);
      if (!last || !visitor.multiplyBeside(tile, k, left, right, chunk > 0, &unfinished)) {
        finish(&unfinished);
        if (last) visitor.prefetch(row, rows, col, tile.cols);
        multiply(rows, ceilDiv(tile.cols, kLanes) * kLanes, k, left, right, at, kTileCols, chunk > 0);
        if (last) finish(&tile);
      }
      if (by.chunks > 1) at += by.rows * kTileCols;
    }
  }
  finish(&unfinished);
}

template <class P, class SA, class SB, class Visitor>
static void gemmRowBlocks(const Call& call, int64_t M, int64_t N, int64_t K, Operand<SA> a, Operand<SB> b,
                          const Visitor& visitor) {
  const Blocking by = chooseBlocking<P>(M, N, K, call.pool->threads());
  const bool inPlace = readableInPlace<P>(a, K);
  const int64_t waiting = waitingFloats(by), staged = inPlace ? 0 : stagedUnits<P>(a, by.rows, by.k);
  if (!call.reserve(sharedRightBytes<P>(N, K), (waiting + staged) * sizeof(float))) return;
  const Right<P> right = packShared<P>(call, b, N, K);
  parallel(call.pool, by.items(), [&](int64_t item, int thread) {
    float* const sums = (float*)call.own(thread);
    const auto leftOf = [&](int64_t row, int64_t rows, int64_t k0, int64_t k) {
      const Operand<SA> block = {a.data + row * a.stride + k0 * a.kStride, a.stride, a.kStride};
      if (inPlace) return rowMajorLeft((const P*)block.data, a.stride / kUnitSize<P>);
      return stageLeft(block, rows, k, (P*)(sums + waiting));
    };
    multiplyItem(item, M, N, K, by, leftOf, right, sums, visitor);
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
