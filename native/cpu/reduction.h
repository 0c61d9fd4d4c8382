// Reductions of a float32 tensor over any of its axes, for any associative Reducer.
//
// Neighbouring axes that are both kept or both reduced become one. If the innermost is then reduced, each output reduces runs of
// contiguous elements; if it is kept, whole vectors of neighbouring outputs are reduced side by side. Long reductions are cut
// into pieces whose results are combined in order; the cuts follow from the shape alone, so threads do not change the result.
#pragma once
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

// Offsets in memory of a list of axes, the innermost first, walked as one.
struct Offsets {
  int rank = 0;
  int64_t extent[kMaxRank], stride[kMaxRank];

  void append(int64_t length, int64_t step) {
    extent[rank] = length;
    stride[rank++] = step;
  }
  int64_t count() const {
    int64_t result = 1;
    for (int axis = 0; axis < rank; axis++) result *= extent[axis];
    return result;
  }
  int64_t at(int64_t index) const {
    if (rank == 0) return 0;
    int64_t offset = 0;
    for (int axis = 0; axis < rank - 1; axis++) {
      offset += index % extent[axis] * stride[axis];
      index /= extent[axis];
    }
    return offset + index * stride[rank - 1];
  }
};

struct ReductionAxes {
  Offsets kept, reduced;       // without the innermost axis
  int64_t inner = 1;           // the innermost axis, contiguous
  bool innerIsReduced = true;
};

static inline ReductionAxes reductionAxes(const Tensor& x, const Attribute& axes) {
  bool isReduced[kMaxRank] = {};
  for (int i = 0; i < axes.count; i++) isReduced[(int)axes.values[i]] = true;
  ReductionAxes result;
  int64_t length = 1, stride = 1;  // of the merged axis that is being collected, from the innermost outwards
  bool reducing = true, collecting = false, isInner = true;
  const auto close = [&] {
    if (isInner) {
      result.inner = length;
      result.innerIsReduced = reducing;
      isInner = false;
    } else {
      (reducing ? result.reduced : result.kept).append(length, stride);
    }
  };
  for (int axis = x.rank - 1; axis >= 0; axis--) {
    if (x.shape[axis] == 1) continue;
    if (collecting && reducing != isReduced[axis]) {
      close();
      stride *= length;
      length = 1;
    }
    collecting = true;
    reducing = isReduced[axis];
    length *= x.shape[axis];
  }
  close();
  return result;
}

// One run of contiguous elements.
template <class Reducer>
static inline typename Reducer::Scalar reduceRun(const float* x, int64_t count) {
  constexpr int kUnroll = 4, kStep = kUnroll * Reducer::kWidth;
  typename Reducer::Scalar result = Reducer::identity();
  int64_t i = 0;
  if (count >= kStep) {
    typename Reducer::Vector partial[kUnroll];
    for (int k = 0; k < kUnroll; k++) partial[k] = Reducer::load(x + k * Reducer::kWidth);
    for (i = kStep; i + kStep <= count; i += kStep)
      for (int k = 0; k < kUnroll; k++)
        partial[k] = Reducer::combine(partial[k], Reducer::load(x + i + k * Reducer::kWidth));
    for (int k = 0; k < kUnroll; k++)
      for (int lane = 0; lane < Reducer::kWidth; lane++) result = Reducer::combine(result, partial[k][lane]);
  }
  for (; i < count; i++) result = Reducer::combine(result, (typename Reducer::Scalar)x[i]);
  return result;
}

// kVectors vectors of neighbouring columns, over rows [begin, end) of the reduced axes.
template <class Reducer, int kVectors, class Emit>
static RF_INLINE void reduceColumns(const float* x, const Offsets& rows, int64_t begin, int64_t end, const Emit& emit) {
  typename Reducer::Vector partial[kVectors];
  for (int k = 0; k < kVectors; k++) partial[k] = Reducer::load(x + rows.at(begin) + k * Reducer::kWidth);
  for (int64_t row = begin + 1; row < end; row++) {
    const float* from = x + rows.at(row);
    for (int k = 0; k < kVectors; k++)
      partial[k] = Reducer::combine(partial[k], Reducer::load(from + k * Reducer::kWidth));
  }
  for (int k = 0; k < kVectors; k++)
    for (int lane = 0; lane < Reducer::kWidth; lane++) emit(k * Reducer::kWidth + lane, partial[k][lane]);
}

template <class Reducer, class Emit>
static inline void reduceRuns(Pool* pool, const float* x, const ReductionAxes& axes, int64_t pieces, int64_t segments,
                              const Emit& emit) {
  const int64_t outputs = axes.kept.count(), perRun = ceilDiv(axes.inner, kGrain);
  const int64_t perPiece = ceilDiv(segments, pieces);
  const int64_t cost = perPiece * min64(axes.inner, kGrain);
  forRanges(pool, outputs * pieces, max64(1, kGrain / cost), [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; item++) {
      const int64_t piece = item / outputs, output = item % outputs;
      const float* first = x + axes.kept.at(output);
      typename Reducer::Scalar result = Reducer::identity();
      for (int64_t s = piece * perPiece; s < min64(segments, (piece + 1) * perPiece); s++) {
        const int64_t start = s % perRun * kGrain;
        const float* run = first + axes.reduced.at(s / perRun) + start;
        result = Reducer::combine(result, reduceRun<Reducer>(run, min64(kGrain, axes.inner - start)));
      }
      emit(piece, output, result);
    }
  });
}

template <class Reducer, class Emit>
static inline void reduceSideBySide(Pool* pool, const float* x, const ReductionAxes& axes, int64_t pieces, const Emit& emit) {
  constexpr int kVectors = 8;
  constexpr int64_t kBlock = kVectors * Reducer::kWidth;
  const int64_t columns = axes.inner, blocks = ceilDiv(columns, kBlock), outer = axes.kept.count();
  const int64_t rows = axes.reduced.count(), perPiece = ceilDiv(rows, pieces);
  const int64_t cost = perPiece * min64(columns, kBlock);
  forRanges(pool, outer * blocks * pieces, max64(1, kGrain / cost), [&](int64_t itemBegin, int64_t itemEnd) {
    for (int64_t item = itemBegin; item < itemEnd; item++) {
      const int64_t piece = item / (outer * blocks), output = item / blocks % outer;
      const int64_t begin = piece * perPiece, end = min64(rows, begin + perPiece);
      int64_t column = item % blocks * kBlock;
      const int64_t columnEnd = min64(columns, column + kBlock);
      const float* first = x + axes.kept.at(output);
      const auto emitAt = [&](int64_t i, typename Reducer::Scalar value) { emit(piece, output * columns + column + i, value); };
      if (columnEnd - column == kBlock) {
        reduceColumns<Reducer, kVectors>(first + column, axes.reduced, begin, end, emitAt);
        continue;
      }
      for (; column + Reducer::kWidth <= columnEnd; column += Reducer::kWidth)
        reduceColumns<Reducer, 1>(first + column, axes.reduced, begin, end, emitAt);
      for (; column < columnEnd; column++) {
        typename Reducer::Scalar result = Reducer::identity();
        for (int64_t row = begin; row < end; row++)
          result = Reducer::combine(result, (typename Reducer::Scalar)first[axes.reduced.at(row) + column]);
        emitAt(0, result);
      }
    }
  });
}

template <class Reducer>
static inline void reduce(const Call& call) {
  using Scalar = typename Reducer::Scalar;
  const float* x = (const float*)call.inputs[0].data;
  float* y = (float*)call.outputs[0].data;
  const int64_t outputs = call.outputs[0].size;
  const ReductionAxes axes = reductionAxes(call.inputs[0], *call.attribute("axes"));

  const int64_t rows = axes.reduced.count();
  const int64_t segments = rows * ceilDiv(axes.inner, kGrain);
  int64_t pieces = 1;
  if (axes.innerIsReduced)
    pieces = ceilDiv(segments * min64(axes.inner, kGrain), kGrain);
  else if (outputs < kGrain)
    pieces = ceilDiv(rows, 1024);
  // No piece may come out empty.
  const int64_t units = axes.innerIsReduced ? segments : rows;
  pieces = ceilDiv(units, ceilDiv(units, pieces));

  if (!call.reserve(pieces > 1 ? pieces * outputs * sizeof(Scalar) : 0, 0)) return;
  Scalar* const partial = pieces > 1 ? (Scalar*)call.shared() : nullptr;
  const auto emit = [=](int64_t piece, int64_t output, Scalar value) {
    if (partial)
      partial[piece * outputs + output] = value;
    else
      y[output] = (float)value;
  };
  if (axes.innerIsReduced)
    reduceRuns<Reducer>(call.pool, x, axes, pieces, segments, emit);
  else
    reduceSideBySide<Reducer>(call.pool, x, axes, pieces, emit);
  if (!partial) return;
  forRanges(call.pool, outputs, max64(1, kGrain / pieces), [=](int64_t begin, int64_t end) {
    for (int64_t output = begin; output < end; output++) {
      Scalar result = Reducer::identity();
      for (int64_t piece = 0; piece < pieces; piece++) result = Reducer::combine(result, partial[piece * outputs + output]);
      y[output] = (float)result;
    }
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
