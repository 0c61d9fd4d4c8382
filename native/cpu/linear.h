// What the products of linear layers do with finished pieces of y [rows, O] on their way to memory: the epilogues of linear.cc
// and linear_gated_residual.cc.
//
// A register tile whose sums are complete is finished while the next one is summed, a pair of vectors after every few steps
// along k, so that an out-of-order processor does both at once: with blocks of 48 rows finished between products, those with the
// longest ends took a fifth longer. What is left at the edges is finished as a whole, while it is in the first-level cache.
#pragma once
#include <type_traits>

#include "few_rows.h"

namespace rectiflow {
namespace RF_NS {

struct LinearOutput;

// An epilogue: what finishes a piece of y as a whole, and its GemmVisitor::multiplyBeside for the packed operands that come with
// its types (none for others), which takes tiles of whole register tiles.
template <class P>
using MultiplyBeside = void (*)(const LinearOutput& out, const Tile& tile, int64_t k, Left<P> a, const P* b, bool accumulate,
                                Tile* unfinished);
struct Epilogue {
  void (*write)(const LinearOutput& out, const Tile& tile) = nullptr;
  MultiplyBeside<float> besideFloats = nullptr;
  MultiplyBeside<uint32_t> besidePairs = nullptr;

  MultiplyBeside<float> beside(float) const { return besideFloats; }
  MultiplyBeside<uint32_t> beside(uint32_t) const { return besidePairs; }
  void set(MultiplyBeside<float> multiply) { besideFloats = multiply; }
  void set(MultiplyBeside<uint32_t> multiply) { besidePairs = multiply; }
};

struct LinearOutput : GemmVisitor {
  const float* bias = nullptr;
  const Tensor* y = nullptr;
  // Of y's shape: what else is written, and what is read to make y. Each where an epilogue wants it.
  const Tensor *preactivation = nullptr, *branch = nullptr, *factor = nullptr, *residual = nullptr;
  const Tensor* gate = nullptr;
  Epilogue epilogue;

  int64_t columns() const { return y->shape[y->rank - 1]; }
  template <class P>
  bool multiplyBeside(const Tile& tile, int64_t k, Left<P> a, Right<P> b, bool accumulate, Tile* unfinished) const {
    const MultiplyBeside<P> multiply = epilogue.beside(P{});
    if (!multiply || tile.rows % kTileRows || tile.cols % kTileCols) return false;
    multiply(*this, tile, k, a, b.data, accumulate, unfinished);
    return true;
  }
  void prefetch(int64_t row, int64_t rows, int64_t col, int64_t cols) const {
    const Tensor* const touched[] = {y, preactivation, branch, factor, residual};
    for (const Tensor* t : touched) {
      if (!t) continue;
      const int64_t bytes = t->dtype == DType::BFloat16 ? 2 : 4;
      prefetchBlock((const char*)t->data + (row * columns() + col) * bytes, columns() * bytes, rows, cols * bytes);
    }
  }
  void finish(int64_t row, int64_t rows, int64_t col, int64_t cols, const float* data, int64_t ld) const {
    epilogue.write(*this, {row, rows, col, cols, (float*)data, ld});
  }
};

// What an epilogue does with a pair of vectors is its End, made of a LinearOutput: end(row, at, col, lanes, sum + bias), where
// `at` is the place in a row-major tensor of y's shape. What it reads through pointers it should have read before it writes:
// after a store the compiler must read again. end.fetch(at) fetches what will be read there into the cache; fetching what will
// be written too was no faster.

template <class T>
static RF_INLINE void fetchPair(const T* p) {
  for (size_t byte = 0; byte < sizeof(T) * 2 * kLanes; byte += 64) __builtin_prefetch((const char*)p + byte);
}

// Works down the columns of a tile.
template <class End>
static void writeTile(const LinearOutput& out, const Tile& tile) {
  const End end(out);
  const int64_t columns = out.columns();
  for (int64_t j = 0; j < tile.cols; j += 2 * kLanes) {
    const int64_t lanes = tile.cols - j, col = tile.col + j, whole = ceilDiv(lanes, kLanes) * kLanes;
    const Pair add = out.bias ? loadPair(out.bias + col, lanes) : Pair{};
    const float* sum = tile.data + j;
    int64_t at = tile.row * columns + col;
    for (int64_t i = 0; i < tile.rows; i++, sum += tile.ld, at += columns) {
      const Pair x = loadPair(sum, whole);
      end(tile.row + i, at, col, lanes, Pair{x.low + add.low, x.high + add.high});
    }
  }
}

// A register tile whose sums are complete, and the place in y of the one that is summed next.
template <class End>
struct UnfinishedTile {
  static constexpr int kStepsPerPiece = kStepsPerEnd;
  static constexpr int64_t kPairs = (kTileVectors + 1) / 2, kPieces = kTileRows * kPairs;
  End end;
  const float* bias;
  int64_t columns, row, col, next;
  const float* sums;

  RF_INLINE void operator()(int64_t piece) const {
    const int64_t i = piece / kPairs, j = piece % kPairs * 2 * kLanes, at = i * columns + j;
    const int64_t lanes = kTileVectors % 2 ? min64(2 * kLanes, kTileCols - j) : 2 * kLanes;
    end.fetch(next + at);
    const Pair sum = loadPair(sums + i * kTileCols + j, lanes), add = bias ? loadPair(bias + col + j, lanes) : Pair{};
    end(row + i, row * columns + col + at, col + j, lanes, Pair{sum.low + add.low, sum.high + add.high});
  }
};

template <class P, class End>
static void multiplyTile(const LinearOutput& out, const Tile& tile, int64_t k, Left<P> a, const P* b, bool accumulate,
                         Tile* unfinished) {
  const int64_t columns = out.columns();
  UnfinishedTile<End> before = {End(out), out.bias, columns, unfinished->row, unfinished->col, 0, unfinished->data};
  int64_t pieces = unfinished->rows ? before.kPieces : 0;
  float* sums = tile.data;
  for (int64_t i = 0; i < tile.rows; i += kTileRows, a.data += a.tileStride, sums += kTileRows * kTileCols) {
    before.next = (tile.row + i) * columns + tile.col;
    microKernelBeside(unitsOf<P>(k), a.data, a.rowStride, a.unitStride, b, sums, kTileCols, accumulate, pieces, before);
    before.row = tile.row + i;
    before.col = tile.col;
    before.sums = sums;
    pieces = before.kPieces;
  }
  *unfinished = {before.row, kTileRows, before.col, kTileCols, sums - kTileRows * kTileCols, kTileCols};
}

// The epilogue of an End that writes Y.
template <class End, class Y>
static Epilogue epilogueOf() {
  Epilogue epilogue;
  epilogue.write = writeTile<End>;
  epilogue.set(multiplyTile<std::conditional_t<sizeof(Y) == 2, LowPacked, float>, End>);
  return epilogue;
}

// out = x W, W[k, j] being w[j*stride + k*kStride]. Where the data is bf16, products are bf16 x bf16 -> float32: the float32
// weights are rounded while they are packed.
static void runLinear(const Call& call, const Tensor& x, int64_t rows, int64_t K, int64_t cols, const float* w, int64_t stride,
                      int64_t kStride, const LinearOutput& out) {
  if (x.dtype == DType::BFloat16)
    gemm<LowPacked>(call, rows, cols, K, Operand<bf16>{(const bf16*)x.data, K, 1},
                    Operand<LowFloat>{(const LowFloat*)w, stride, kStride}, out);
  else
    gemm<float>(call, rows, cols, K, Operand<float>{(const float*)x.data, K, 1}, Operand<float>{w, stride, kStride}, out);
}

}  // namespace RF_NS
}  // namespace rectiflow
