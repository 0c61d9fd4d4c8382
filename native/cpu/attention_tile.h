// The products of attention: C[rows, cols] (+)= A[rows, k] B[k, cols], small, with operands and results in scratch memory.
//
// They are many products of one head's width or of one block of tokens, so what counts is not to lose at their edges: the
// register tile is narrower and higher than that of tile.h (two vectors suit a head of 32, 64 or 72), and rows are cut into
// tiles of nearly equal heights, so that none is low. Units and the kernel itself are those of tile.h.
#pragma once
#include "tile.h"

namespace rectiflow {
namespace RF_NS {

// Two vectors: of a panel that is not whole, one is left, and never more.
constexpr int kHeadRows = kManyRegisters ? 12 : kTileRows, kHeadVectors = 2;
constexpr int kHeadCols = kHeadVectors * kLanes;

// The left operand: unit u of row i is data[i*rowStride + u*unitStride].
template <class P>
struct Rows {
  const P* data;
  int64_t rowStride, unitStride;

  RF_INLINE Rows from(int64_t row) const { return {data + row * rowStride, rowStride, unitStride}; }
};
// The right operand: unit u of column j of the t-th panel of kHeadCols columns is data[t*panelStride + u*kHeadCols + j].
template <class P>
struct Panels {
  const P* data;
  int64_t panelStride;

  // From a column (a multiple of kHeadCols) and from an element along k (even for pairs).
  RF_INLINE Panels from(int64_t column, int64_t k) const {
    return {data + column / kHeadCols * panelStride + k / kUnitSize<P> * kHeadCols, panelStride};
  }
};
// C, whose old contents are replaced, or kept as a term.
struct Result {
  float* data;
  int64_t ld;
  bool accumulate;
};

// The kernel of a height and a width in vectors.
template <class P, int R = kHeadRows, int V = kHeadVectors>
static RF_INLINE void anyHeadTile(int64_t rows, int64_t vectors, int64_t units, Rows<P> a, const P* b, Result c) {
  if constexpr (V > 1)
    if (vectors < V) return anyHeadTile<P, R, V - 1>(rows, vectors, units, a, b, c);
  if constexpr (R > 1)
    if (rows < R) return anyHeadTile<P, R - 1, V>(rows, vectors, units, a, b, c);
  microKernel<P, R, V, kHeadCols>(units, a.data, a.rowStride, a.unitStride, b, c.data, c.ld, c.accumulate);
}

// Calls body(row, height) for tiles of at most kHeadRows rows. Each begins at an even row, so that no pair of rows is torn.
template <class Body>
static RF_INLINE void forRowTiles(int64_t rows, Body&& body) {
  static_assert(kHeadRows % 2 == 0, "tiles hold whole pairs of rows");
  const int64_t pairs = (rows + 1) / 2, tiles = ceilDiv(pairs, kHeadRows / 2);
  const int64_t low = 2 * (pairs / tiles), higher = pairs % tiles;
  for (int64_t tile = 0, row = 0; tile < tiles; tile++) {
    const int64_t height = min64(low + (tile < higher ? 2 : 0), rows - row);
    body(row, height);
    row += height;
  }
}

// cols is a multiple of kLanes; k counts elements, not units.
template <class P>
static void multiplyHead(int64_t rows, int64_t cols, int64_t k, Rows<P> a, Panels<P> b, Result c) {
  for (int64_t j = 0; j < cols; j += kHeadCols)
    forRowTiles(rows, [&](int64_t row, int64_t height) {
      anyHeadTile(height, min64(kHeadCols, cols - j) / kLanes, unitsOf<P>(k), a.from(row), b.from(j, 0).data,
                  Result{c.data + row * c.ld + j, c.ld, c.accumulate});
    });
}

// A register tile of scores. With 32 registers it is lower than that of other products: some are left for what is done beside it.
constexpr int kScoreRows = kManyRegisters ? 8 : kTileRows;

// Such a tile, with pieces of other work beside it (tileSums).
template <class P, int V, class Beside>
static RF_INLINE void scoreTile(int64_t units, const P* a, int64_t rowStride, const P* b, float* out, int64_t pieces,
                                Beside&& beside) {
  vf sum[kScoreRows][V];
  tileSums<P, kScoreRows, V, kHeadCols>(units, a, rowStride, 1, b, sum, pieces, beside);
#pragma GCC unroll 12
  for (int i = 0; i < kScoreRows; i++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) store(out + (i * V + v) * kLanes, sum[i][v]);
}

}  // namespace RF_NS
}  // namespace rectiflow
