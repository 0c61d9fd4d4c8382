// matmul: y[..., M, N] = a[..., M, K] b[..., K, N]; transposeA and transposeB say that the last two axes of a or b are stored
// the other way round. b may have rank 2 and then serves all of the batch. float32.
//
// A shared b makes the batch one tall product. Small matrices are handed out one per item and packed in the thread's own cache;
// large ones are computed one after the other, each by all threads (gemm.h).
#include "few_rows.h"

namespace rectiflow {
namespace RF_NS {

// Multiply-adds below which one matrix is not worth being shared among threads.
constexpr int64_t kSmallProduct = 1 << 21;

struct MatrixOutput : GemmVisitor {
  float* y;
  int64_t N;
  MatrixOutput(float* y, int64_t N) : y(y), N(N) {}

  void prefetch(int64_t row, int64_t rows, int64_t col, int64_t cols) const {
    prefetchBlock(y + row * N + col, N * 4, rows, cols * 4);
  }
  void finish(int64_t row, int64_t rows, int64_t col, int64_t cols, const float* tile, int64_t ld) const {
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < cols; j += kLanes)
        storePartial(y + (row + i) * N + col + j, load(tile + i * ld + j), cols - j);
  }
};

static void matmulKernel(const Call& call) {
  const Tensor &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  const bool transposeA = call.number("transposeA", 0) != 0, transposeB = call.number("transposeB", 0) != 0;
  const bool sharedB = b.rank == 2;
  int64_t M = y.shape[y.rank - 2], batch = y.size / max64(1, M * y.shape[y.rank - 1]);
  const int64_t N = y.shape[y.rank - 1], K = a.shape[a.rank - (transposeA ? 2 : 1)];
  if (sharedB && !transposeA) {
    M *= batch;
    batch = 1;
  }
  const auto left = [&](int64_t i) {
    return Operand<float>{(const float*)a.data + i * M * K, transposeA ? 1 : K, transposeA ? M : 1};
  };
  const auto right = [&](int64_t i) {
    return Operand<float>{(const float*)b.data + (sharedB ? 0 : i * K * N), transposeB ? K : 1, transposeB ? 1 : N};
  };
  const auto result = [&](int64_t i) { return (float*)y.data + i * M * N; };

  if (batch > 1 && M * N * K < kSmallProduct) {
    const int64_t aFloats = packedRowsBytes<float>(M, K) / 4, bFloats = packedColsBytes<float>(N, K) / 4;
    if (!call.reserve(0, (aFloats + bFloats) * sizeof(float))) return;
    return parallel(call.pool, batch, [&](int64_t i, int thread) {
      float* packedB = (float*)call.own(thread);
      float* packedA = packedB + bFloats;
      packRows(left(i).data, left(i).stride, left(i).kStride, M, K, packedA);
      packCols(right(i).data, right(i).stride, right(i).kStride, N, K, packedB);
      multiply(M, N, K, packedA, packedB, result(i), N, false);
    });
  }
  for (int64_t i = 0; i < batch; i++) gemm<float>(call, M, N, K, left(i), right(i), MatrixOutput(result(i), N));
}

}  // namespace RF_NS
}  // namespace rectiflow
