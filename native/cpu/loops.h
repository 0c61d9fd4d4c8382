// Ways to walk through tensors: ranges of elements, and rows of tensors that are broadcast or permuted.
#pragma once
#include "simd.h"

namespace rectiflow {
namespace RF_NS {

// Elements per work item of cheap loops. Smaller tensors are one item, which the calling thread does alone.
constexpr int64_t kGrain = 16384;

// Calls body(begin, end) for pieces of [0, count); their borders depend on nothing but count and grain.
template <class Body>
static inline void forRanges(Pool* pool, int64_t count, int64_t grain, const Body& body) {
  parallel(pool, ceilDiv(count, grain),
           [&](int64_t item, int) { body(item * grain, min64(count, (item + 1) * grain)); });
}

// y = f(x) elementwise in float32, f working on whole vectors.
template <class F>
static inline void unary(const Call& call, const F& f) {
  const float* x = (const float*)call.inputs[0].data;
  float* y = (float*)call.outputs[0].data;
  forRanges(call.pool, call.outputs[0].size, kGrain, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) store(y + i, f(load(x + i)));
    if (i < end) storePartial(y + i, f(loadPartial(x + i, end - i)), end - i);
  });
}

// The axes of a dense output, and by how many elements each of N inputs moves along them. Axes of extent 1 are dropped and
// axes that all inputs run through as if they were one are merged, so equal shapes end as one axis.
template <int N>
struct Axes {
  int rank = 0;
  int64_t extent[kMaxRank];
  int64_t stride[N][kMaxRank];

  // From the outermost axis to the innermost.
  void append(int64_t length, const int64_t (&strides)[N]) {
    if (length == 1) return;
    bool merges = rank > 0;
    for (int i = 0; i < N && merges; i++) merges = stride[i][rank - 1] == strides[i] * length;
    if (!merges) extent[rank++] = 1;
    extent[rank - 1] *= length;
    for (int i = 0; i < N; i++) stride[i][rank - 1] = strides[i];
  }

  // After the last axis: a scalar has one axis too.
  void finish() {
    if (rank) return;
    extent[rank++] = 1;
    for (int i = 0; i < N; i++) stride[i][0] = 1;
  }

  int64_t inner() const { return extent[rank - 1]; }
  bool innerMoves(int input) const { return stride[input][rank - 1] != 0; }
};

// Axes of numpy's broadcasting: inputs are aligned at the last axis and stand still where their extent is 1. The innermost
// stride of each input is 0 or 1.
template <int N>
static inline Axes<N> broadcastAxes(const Tensor& y, const Tensor* inputs) {
  int64_t strides[kMaxRank][N];
  for (int i = 0; i < N; i++) {
    const Tensor& x = inputs[i];
    int64_t dense = 1;
    for (int axis = y.rank - 1; axis >= 0; axis--) {
      const int own = axis - (y.rank - x.rank);
      const int64_t length = own < 0 ? 1 : x.shape[own];
      strides[axis][i] = length == 1 ? 0 : dense;
      dense *= length;
    }
  }
  Axes<N> axes;
  for (int axis = 0; axis < y.rank; axis++) axes.append(y.shape[axis], strides[axis]);
  axes.finish();
  return axes;
}

// Calls body(y, x, length) for the (parts of) rows along the innermost axis that make up elements [begin, end) of the output:
// y is the row's first element there, x[i] the first element of input i.
template <int N, class Body>
static inline void forRows(const Axes<N>& axes, int64_t begin, int64_t end, const Body& body) {
  const int last = axes.rank - 1;
  int64_t index[kMaxRank], x[N] = {};
  for (int64_t axis = last, rest = begin; axis >= 0; axis--) {
    index[axis] = rest % axes.extent[axis];
    rest /= axes.extent[axis];
    for (int i = 0; i < N; i++) x[i] += index[axis] * axes.stride[i][axis];
  }
  for (int64_t y = begin; y < end;) {
    const int64_t length = min64(axes.inner() - index[last], end - y);
    body(y, x, length);
    y += length;
    for (int i = 0; i < N; i++) x[i] -= index[last] * axes.stride[i][last];
    index[last] = 0;
    for (int axis = last - 1; axis >= 0; axis--) {
      for (int i = 0; i < N; i++) x[i] += axes.stride[i][axis];
      if (++index[axis] < axes.extent[axis]) break;
      for (int i = 0; i < N; i++) x[i] -= axes.extent[axis] * axes.stride[i][axis];
      index[axis] = 0;
    }
  }
}

}  // namespace RF_NS
}  // namespace rectiflow
