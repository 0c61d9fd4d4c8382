// Products with an operand that is packed by the way: a strip of its columns, chunk by chunk along k, each chunk beside the products
// of the one before. An out-of-order processor packs on units that products leave idle, so that reading from memory, and making
// again what is not kept, takes little time.
#pragma once
#include "gemm.h"

namespace rectiflow {
namespace RF_NS {

// A strip is a panel of the left operand or some panels of the right one.
constexpr int64_t kStripOfLeft = BlockPanel::width, kStripOfRight = 64 / kTileCols * kTileCols;
constexpr int64_t kChunkUnits = 512;  // along k: two chunks, and what they meet of the other operand, fit the second-level cache
template <class P>
constexpr int64_t kChunkRows = kChunkUnits * kUnitSize<P>;

// A packed chunk: panels, whose vectors should not straddle cache lines, and the sums of its columns along k.
template <class P>
struct Chunk {
  static constexpr int64_t kPanelStride = kChunkUnits * kTileCols + 16;
  alignas(64) float sums[kStripOfLeft];
  alignas(64) P panels[kChunkUnits * kStripOfLeft];

  Left<P> left() const { return {panels, kTileRows, 1, BlockPanel::stride}; }
  Right<P> right() const { return {panels, kPanelStride}; }
};
static_assert(kStripOfRight / kTileCols * Chunk<float>::kPanelStride <= kChunkUnits * kStripOfLeft, "both fit");

// Packs k rows of a strip, all at once or a piece at a time: a unit of some vectors of columns. A chunk that is not made of whole
// pieces is packed at once.
template <class Panel, bool kSum, class P, class Rows>
class ChunkPacker {
 public:
  static constexpr int kStepsPerPiece = 64;  // as far apart as they can be, for the memory's sake
  ChunkPacker(const Rows& rows, int64_t k, int64_t cols, Chunk<P>* chunk)
      : rows_(rows), k_(k), cols_(cols), chunk_(chunk), beside_(k % kUnitSize<P> == 0 && cols % kColumns == 0) {
    if (beside_) left_ = k / kUnitSize<P> * (cols / kColumns);
    if (kSum) memset(chunk->sums, 0, sizeof(chunk->sums));
  }
  void packAtOnce() const {
    packAcross<Panel, kSum>(rows_, cols_, k_, chunk_->panels, Chunk<P>::kPanelStride, chunk_->sums);
  }

  // The pieces left to be packed, one for each call.
  int64_t left() const { return left_; }
  RF_INLINE void operator()(int64_t) {
    using S = typename Rows::Element;
    constexpr int64_t ahead = 16 * kUnitSize<P>, line = 64 / sizeof(S);
    const int64_t row = unit_ * kUnitSize<P>;
    S made[2][kColumns];
    const S* source[2];
#pragma GCC unroll 1  // unrolled, it drives sums of the register tile out of their registers
    for (int r = 0; r < kUnitSize<P>; r++) {
      for (int64_t c = 0; c < kColumns; c += line) rows_.fetch(row + r + ahead, at_ + c);
      source[r] = rows_.read(row + r, at_, kColumns, made[r]);
    }
    P* const panel = chunk_->panels + at_ / Panel::width * Chunk<P>::kPanelStride + unit_ * Panel::stride + at_ % Panel::width;
    packUnit<Panel, kVectors, kSum>(source[0], source[1], kColumns, panel, chunk_->sums + at_);
    left_--;
    if ((at_ += kColumns) < cols_) return;
    at_ = 0;
    unit_++;
  }
  // Packs what no products were left for.
  void finish() {
    if (!beside_) packAtOnce();
    while (left_) (*this)(0);
  }

 private:
  static constexpr int kVectors = kTileVectors % 2 ? 1 : 2;
  static constexpr int64_t kColumns = kVectors * kLanes;
  Rows rows_;
  int64_t k_, cols_;
  Chunk<P>* chunk_;
  bool beside_;
  int64_t left_ = 0, unit_ = 0, at_ = 0;
};

// C[rows, cols] = A B, or C += A B, with `pieces` calls of the packer, as long as any are left, beside each register tile.
template <class P, class Packer>
static void multiplyAndPack(int64_t rows, int64_t cols, int64_t k, Left<P> a, Right<P> b, float* c, int64_t ldc, bool accumulate,
                            int64_t pieces, Packer* packer) {
  for (int64_t j = 0; j < cols; j += kTileCols, b.data += b.panelStride) {
    const int64_t width = min64(kTileCols, cols - j);
    Left<P> tile = a;
    int64_t i = 0;
    for (; width == kTileCols && i + kTileRows <= rows; i += kTileRows, tile.data += a.tileStride) {
      float* const sums = c + i * ldc + j;
      prefetchBlock(sums, ldc * sizeof(float), kTileRows, kTileCols * sizeof(float));
      microKernelBeside(unitsOf<P>(k), tile.data, a.rowStride, a.unitStride, b.data, sums, ldc, accumulate,
                        min64(pieces, packer->left()), *packer);
    }
    if (i < rows) multiply(rows - i, width, k, tile, b, c + i * ldc + j, ldc, accumulate);
  }
}

}  // namespace RF_NS
}  // namespace rectiflow
