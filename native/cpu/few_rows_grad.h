// The gradients of a linear layer's parameters, dw[O, I] = dy^T x and db[O], from few rows: x [rows, I], dy [rows, O].
//
// Here the result is by far the largest operand, and the sums are short. So each item owns some rows of dw and multiplies straight
// into them: no part of dw is touched twice, and nothing waits in a tile.
#pragma once
#include "few_rows.h"

namespace rectiflow {
namespace RF_NS {

template <class P, class SX, class SY>
static void gradParamsFewRows(const Call& call, int64_t rows, int64_t O, int64_t I, PlainRows<SX> x, PlainRows<SY> dy, float* dw,
                              float* db) {
  if (!call.reserve(sharedRightBytes<P>(I, rows), unitsOf<P>(rows) * BlockPanel::stride * sizeof(P))) return;
  const Right<P> right = packShared<P>(call, Operand<SX>{x.data, 1, I}, I, rows);
  parallel(call.pool, ceilDiv(O, BlockPanel::width), [&](int64_t item, int thread) {
    const int64_t o = item * BlockPanel::width, count = min64(BlockPanel::width, O - o);
    P* const left = (P*)call.own(thread);
    float sums[BlockPanel::width] = {};
    packAcross<BlockPanel, true>(PlainRows<SY>{dy.at(0, o), O}, count, rows, left, 0, sums);
    memcpy(db + o, sums, count * sizeof(float));
    multiply(count, I, rows, Left<P>{left, kTileRows, 1, BlockPanel::stride}, right, dw + o * I, I, false);
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
