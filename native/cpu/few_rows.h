// Products with few rows, C[M, N] = A[M, K] B[K, N]: adaLN's and the time embedding's, whose rows are the images of a batch.
//
// B is a layer's weights and by far the largest operand: at best such a product takes as long as reading them. So they are read
// once, where they lie in memory, and what the next register tiles will read is fetched while one multiplies. Only what has to
// become bf16, and edges, go through a buffer in the first-level cache. Sums are taken in the order of gemm.h: each element is the
// same, to the bit, as with many rows.
#pragma once
#include "few_rows_across.h"
#include "few_rows_along.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kFewRows = 64;

// The product for any shape.
template <class P, class SA, class SB, class Visitor>
static void gemm(const Call& call, int64_t M, int64_t N, int64_t K, Operand<SA> a, Operand<SB> b, const Visitor& visitor) {
  if (M > kFewRows) return gemmRowBlocks<P>(call, M, N, K, a, b, visitor);
  if (b.stride == 1) return fewRowsAcross<P>(call, M, N, K, a, b, visitor);
  if (M <= kLanes) return fewRowsAlong<P, 1>(call, M, N, K, a, b, visitor);
  if (kTileVectors == 2 || M <= 2 * kLanes) return fewRowsAlong<P, 2>(call, M, N, K, a, b, visitor);
  if constexpr (kTileVectors > 2)
    if (kTileVectors == 3 || M <= 3 * kLanes) return fewRowsAlong<P, 3>(call, M, N, K, a, b, visitor);
  if constexpr (kTileVectors > 3) fewRowsAlong<P, 4>(call, M, N, K, a, b, visitor);
}

}  // namespace RF_NS
}  // namespace rectiflow
