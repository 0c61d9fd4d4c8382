// What the products of linear layers do with finished pieces of y [rows, O] on their way to memory: the epilogues of linear.cc
// and linear_gated_residual.cc. They work on tiles that are still in the first-level cache, so each costs little more than the
// memory it writes.
#pragma once
#include "few_rows.h"

namespace rectiflow {
namespace RF_NS {

// Some rows and columns of a product, in a buffer.
struct Tile {
  int64_t row, rows, col, cols;
  const float* data;
  int64_t ld;
};

struct LinearOutput : GemmVisitor {
  using Write = void (*)(const LinearOutput& out, const Tile& tile);
  const float* bias = nullptr;
  const Tensor* y = nullptr;
  // Of y's shape: what else is written, and what is read to make y. Each where an epilogue wants it.
  const Tensor *preactivation = nullptr, *branch = nullptr, *factor = nullptr, *residual = nullptr;
  const Tensor* gate = nullptr;
  Write write = nullptr;

  int64_t columns() const { return y->shape[y->rank - 1]; }
  void prefetch(int64_t row, int64_t rows, int64_t col, int64_t cols) const {
    const Tensor* const touched[] = {y, preactivation, branch, factor, residual};
    for (const Tensor* t : touched) {
      if (!t) continue;
      const int64_t bytes = t->dtype == DType::BFloat16 ? 2 : 4;
      prefetchBlock((const char*)t->data + (row * columns() + col) * bytes, columns() * bytes, rows, cols * bytes);
    }
  }
  void finish(int64_t row, int64_t rows, int64_t col, int64_t cols, const float* tile, int64_t ld) const {
    write(*this, {row, rows, col, cols, tile, ld});
  }
};

// Calls body(at, col, lanes, sum + bias) for every pair of vectors of a tile, down its columns; at is the place in a row-major
// tensor of this many columns. What a body reads through pointers it should have read before: after a store the compiler must
// read again.
template <class Body>
static RF_INLINE void forTile(const float* bias, const Tile& tile, int64_t columns, Body&& body) {
  const int64_t rows = tile.rows, ld = tile.ld;
  for (int64_t j = 0; j < tile.cols; j += 2 * kLanes) {
    const int64_t lanes = tile.cols - j, col = tile.col + j, whole = ceilDiv(lanes, kLanes) * kLanes;
    const Pair add = bias ? loadPair(bias + col, lanes) : Pair{};
    const float* sum = tile.data + j;
    int64_t at = tile.row * columns + col;
    for (int64_t i = 0; i < rows; i++, sum += ld, at += columns) {
      const Pair x = loadPair(sum, whole);
      body(at, col, lanes, Pair{x.low + add.low, x.high + add.high});
    }
  }
}

// out = x W, W[k, j] being w[j*stride + k*kStride]. Where the data is bf16, products are bf16 x bf16 -> float32: the float32
// weights are rounded while they are packed.
static void runLinear(Pool* pool, const Tensor& x, int64_t rows, int64_t K, int64_t cols, const float* w, int64_t stride,
                      int64_t kStride, const LinearOutput& out) {
  if (x.dtype == DType::BFloat16)
    gemm<LowPacked>(pool, rows, cols, K, Operand<bf16>{(const bf16*)x.data, K, 1},
                    Operand<LowFloat>{(const LowFloat*)w, stride, kStride}, out);
  else
    gemm<float>(pool, rows, cols, K, Operand<float>{(const float*)x.data, K, 1}, Operand<float>{w, stride, kStride}, out);
}

}  // namespace RF_NS
}  // namespace rectiflow
