// The rows that gradients of parameters sum over, and the operand of that product that all threads read.
#pragma once
#include "strip.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kSharedBytes = 4 << 20;  // packed at a time: few enough for a part of the last-level cache
constexpr int64_t kSharedRowsPerItem = 32, kItemsPerSum = 32;
constexpr int64_t kLeastHalf = 256;  // rows: with fewer, a second result costs more than it saves

static RF_INLINE void addTo(float* total, const float* terms, int64_t count) {
  for (int64_t i = 0; i < count; i++) total[i] += terms[i];
}

// Many rows are summed in two halves, each with a result of its own. The pool gives items of the same half to neighbouring
// threads, in a training step those that made these rows: cores that have no cache in common then fetch few of them from each
// other. The cut depends on the number of rows alone.
struct Halves {
  int64_t allRows, count, rows;  // `rows` in the first half, whole items; what is left in the second
  explicit Halves(int64_t allRows) : allRows(allRows), count(allRows < 2 * kLeastHalf ? 1 : 2) {
    rows = ceilDiv(allRows, count * kSharedRowsPerItem) * kSharedRowsPerItem;
  }
  // How many rows of a half, at most `most`, there are from its row `from` on.
  int64_t rowsFrom(int64_t half, int64_t from, int64_t most) const {
    return max64(0, min64(most, min64(rows, allRows - half * rows) - from));
  }
};

// Panels of some rows of each half.
template <class Panel, class P>
struct SharedOperand {
  Halves halves;
  int64_t columns, rows;  // of each half, whole items
  int64_t panelStride, sumsStride;
  int64_t bytes;  // of memory that threads share, for what follows
  P* panels;
  float* sums;    // of the columns, for each item
  float* result;  // of the second half

  SharedOperand(const Call& call, Halves halves, int64_t columns, int64_t resultFloats) : halves(halves), columns(columns) {
    const int64_t passes = ceilDiv(halves.allRows * columns * (int64_t)sizeof(P) / kUnitSize<P>, kSharedBytes);
    rows = min64(halves.rows, ceilDiv(ceilDiv(halves.rows, passes), kChunkRows<P>) * kChunkRows<P>);
    panelStride = paddedPanel(unitsOf<P>(halves.count * rows) * Panel::stride);
    sumsStride = ceilDiv(columns, Panel::width) * Panel::width;
    const int64_t units = ceilDiv(columns, Panel::width) * panelStride;
    const int64_t others = halves.count > 1 ? resultFloats : 0;
    bytes = units * sizeof(P) + (paddedPanel(items() * sumsStride) + others) * sizeof(float);
    panels = (P*)call.shared();
    sums = (float*)(panels + units);
    result = sums + paddedPanel(items() * sumsStride);
  }

  // The rows from `from` on of each half of the source. kSum: adds them to total[columns].
  template <bool kSum, class Rows>
  void pack(Pool* pool, const Rows& source, int64_t from, float* total) const {
    parallel(pool, items(), [&](int64_t item, int) {
      const int64_t half = item * kSharedRowsPerItem / rows, row = from + item * kSharedRowsPerItem % rows;
      float* const rowSums = sums + item * sumsStride;
      if (kSum) memset(rowSums, 0, sumsStride * sizeof(float));
      packAcross<Panel, kSum>(source.from(half * halves.rows + row, 0), columns, halves.rowsFrom(half, row, kSharedRowsPerItem),
                              panels + item * kSharedRowsPerItem / kUnitSize<P> * Panel::stride, panelStride, rowSums);
    });
    if (!kSum) return;
    // By groups: a single sum of many terms would lose digits.
    for (int64_t group = 0; group < items(); group += kItemsPerSum) {
      float* const groupSums = sums + group * sumsStride;
      for (int64_t item = group + 1; item < min64(group + kItemsPerSum, items()); item++)
        addTo(groupSums, sums + item * sumsStride, columns);
      addTo(total, groupSums, columns);
    }
  }
  // What was packed: units of the row-th row of a half and those after it, from a column of a panel on.
  const P* at(int64_t half, int64_t row, int64_t column) const {
    return panels + column / Panel::width * panelStride + (half * rows + row) / kUnitSize<P> * Panel::stride;
  }

 private:
  int64_t items() const { return halves.count * rows / kSharedRowsPerItem; }
};

}  // namespace RF_NS
}  // namespace rectiflow
