// The gradients of a linear layer's parameters: dw = dy^T x, db = sum over rows of dy.
// x [rows, I], dy [rows, O] -> dw [O, I], db [O]; leading axes of x and dy are flattened into rows.
//
// x may be given by what it was made of, which the backward pass keeps anyway (made_rows.h): act(z) by z, and the modulated layer
// norm h (1 + scale) + shift by h [B, N, I], shift and scale [B, I].
//
// The summed dimension is rows, and there are many, so both operands have to be packed. The narrower one is shared: all threads
// pack it, some MiB at a time. The wider one is cut into strips of columns; an item packs its strip beside its own products
// (strip.h), and the beginning of the next item's beside the last of them. Sums go straight into the item's part of dw, a chunk
// after the other.
#include <type_traits>

#include "few_rows_grad.h"
#include "made_rows.h"
#include "strip.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kSharedBytes = 4 << 20;  // packed at a time: few enough for a part of the last-level cache
constexpr int64_t kSharedRowsPerItem = 32, kItemsPerSum = 32;
constexpr int64_t kItemsPerThread = 12;  // which even out unequal speeds
constexpr int64_t kLeastPart = 192;      // columns of the shared operand for an item: enough products to pack beside

// Panels of some rows of the shared operand.
template <class P>
struct SharedOperand {
  int64_t columns, rows, panelStride, sumsStride;
  P* panels;
  float* sums;

  SharedOperand(Pool* pool, int64_t allRows, int64_t columns, int64_t width) : columns(columns) {
    const int64_t passes = ceilDiv(allRows * columns * (int64_t)sizeof(P) / kUnitSize<P>, kSharedBytes);
    rows = min64(allRows, ceilDiv(ceilDiv(allRows, passes), kChunkRows<P>) * kChunkRows<P>);
    panelStride = paddedPanel(unitsOf<P>(rows) * width);
    sumsStride = ceilDiv(columns, width) * width;
    const int64_t units = ceilDiv(columns, width) * panelStride, items = ceilDiv(rows, kSharedRowsPerItem);
    panels = (P*)pool->shared(units * sizeof(P) + items * sumsStride * sizeof(float));
    sums = (float*)(panels + units);
  }

  // The first `count` rows of the source. kSum: adds them to total[columns].
  template <class Panel, bool kSum, class Rows>
  void pack(Pool* pool, const Rows& source, int64_t count, float* total) const {
    const int64_t items = ceilDiv(count, kSharedRowsPerItem);
    parallel(pool, items, [&](int64_t item, int) {
      const int64_t row = item * kSharedRowsPerItem, k = min64(kSharedRowsPerItem, count - row);
      float* const rowSums = sums + item * sumsStride;
      if (kSum) memset(rowSums, 0, sumsStride * sizeof(float));
      packAcross<Panel, kSum>(source.from(row, 0), columns, k, panels + row / kUnitSize<P> * Panel::stride, panelStride, rowSums);
    });
    if (!kSum) return;
    // By groups: a single sum of many terms would lose digits.
    for (int64_t group = 0; group < items; group += kItemsPerSum) {
      float* const groupSums = sums + group * sumsStride;
      for (int64_t item = group + 1; item < min64(group + kItemsPerSum, items); item++) add(groupSums, sums + item * sumsStride);
      add(total, groupSums);
    }
  }

 private:
  void add(float* total, const float* terms) const {
    for (int64_t i = 0; i < columns; i++) total[i] += terms[i];
  }
};

// What a thread keeps from item to item: two chunks, one to multiply and one to pack meanwhile.
template <class P>
struct Workplace {
  int64_t begun;  // the item whose first chunk is packed
  int current;    // that chunk
  Chunk<P> chunks[2];
};

// The gradients, where dy is cut into strips (kCutsY) or x is.
template <bool kCutsY, class P, class RowsX, class RowsY>
struct ParameterGradients {
  using SharedPanel = std::conditional_t<kCutsY, RightPanel, BlockPanel>;
  using Cut = std::conditional_t<kCutsY, RowsY, RowsX>;
  using Packer = ChunkPacker<std::conditional_t<kCutsY, BlockPanel, RightPanel>, kCutsY, P, Cut>;
  static constexpr int64_t kStrip = kCutsY ? kStripOfLeft : kStripOfRight;

  Pool* pool;
  int64_t O, I, rows;
  RowsX x;
  RowsY dy;
  float *dw, *db;

  void run() const {
    const SharedOperand<P> shared(pool, rows, kCutsY ? I : O, SharedPanel::width);
    memset(db, 0, O * sizeof(float));
    for (int64_t row = 0; row < rows; row += shared.rows) {
      const int64_t count = min64(shared.rows, rows - row);
      if constexpr (kCutsY) {
        shared.template pack<SharedPanel, false>(pool, x.from(row, 0), count, nullptr);
        addRows(shared, dy.from(row, 0), O, count, row == 0);
      } else {
        shared.template pack<SharedPanel, true>(pool, dy.from(row, 0), count, db);
        addRows(shared, x.from(row, 0), I, count, row == 0);
      }
    }
  }

 private:
  // Adds the sums over `count` rows. An item is a strip and a part of the shared operand.
  void addRows(const SharedOperand<P>& shared, const Cut& cut, int64_t columns, int64_t count, bool first) const {
    const int64_t strips = ceilDiv(columns, kStrip), panels = ceilDiv(shared.columns, SharedPanel::width);
    const int64_t wanted = ceilDiv(kItemsPerThread * pool->threads(), strips);
    const int64_t partPanels = ceilDiv(panels, max64(1, min64(wanted, shared.columns / kLeastPart)));
    const int64_t parts = ceilDiv(panels, partPanels), items = strips * parts;
    const auto packerOf = [&](int64_t item, int64_t row, Chunk<P>* chunk) {
      const int64_t col = item / parts * kStrip;
      return Packer(cut.from(row, col), min64(kChunkRows<P>, count - row), min64(kStrip, columns - col), chunk);
    };
    const auto workplaceOf = [&](int thread) { return (Workplace<P>*)pool->scratch(thread, sizeof(Workplace<P>)); };
    for (int thread = 0; thread < pool->threads(); thread++) workplaceOf(thread)->begun = -1;

    parallel(pool, items, [&](int64_t item, int thread) {
      Workplace<P>& mine = *workplaceOf(thread);
      if (mine.begun != item) packerOf(item, 0, &mine.chunks[mine.current = 0]).packAtOnce();
      const int64_t col = item / parts * kStrip, cols = min64(kStrip, columns - col);
      const int64_t from = item % parts * partPanels * SharedPanel::width;
      const int64_t width = min64(shared.columns - from, partPanels * SharedPanel::width);
      for (int64_t row = 0; row < count; row += kChunkRows<P>) {
        const Chunk<P>& chunk = mine.chunks[mine.current];
        mine.current ^= 1;
        const bool last = row + kChunkRows<P> >= count;
        Packer packer =
            packerOf(last ? min64(item + 1, items - 1) : item, last ? 0 : row + kChunkRows<P>, &mine.chunks[mine.current]);
        const P* const part =
            shared.panels + from / SharedPanel::width * shared.panelStride + row / kUnitSize<P> * SharedPanel::stride;
        const int64_t k = min64(kChunkRows<P>, count - row);
        if constexpr (kCutsY)
          multiplyLeft(chunk, k, col, cols, Right<P>{part, shared.panelStride}, from, width, first && row == 0, &packer);
        else
          multiplyRight(chunk, k, col, cols, Left<P>{part, shared.panelStride, 1, SharedPanel::stride}, from, width,
                        first && row == 0, &packer);
        packer.finish();
      }
      mine.begun = item + 1;
    });
  }

  // A strip of dy, columns [o, o + height), with columns [i, i + width) of x.
  void multiplyLeft(const Chunk<P>& chunk, int64_t k, int64_t o, int64_t height, Right<P> right, int64_t i, int64_t width,
                    bool first, Packer* packer) const {
    const int64_t pieces = ceilDiv(packer->left(), max64(1, height / kTileRows * (width / kTileCols)));
    multiplyAndPack(height, width, k, chunk.left(), right, dw + o * I + i, I, !first, pieces, packer);
    if (i == 0)
      for (int64_t row = 0; row < height; row++) db[o + row] += chunk.sums[row];
  }

  // A strip of x, columns [i, i + width), with columns [o, o + height) of dy, whose panels are left.tileStride apart.
  void multiplyRight(const Chunk<P>& chunk, int64_t k, int64_t i, int64_t width, Left<P> left, int64_t o, int64_t height,
                     bool first, Packer* packer) const {
    const int64_t pieces = ceilDiv(packer->left(), max64(1, height / kTileRows * (width / kTileCols)));
    for (int64_t end = o + height; o < end; o += SharedPanel::width, left.data += left.tileStride)
      multiplyAndPack(min64(SharedPanel::width, end - o), width, k, Left<P>{left.data, kTileRows, 1, SharedPanel::stride},
                      chunk.right(), dw + o * I + i, I, !first, pieces, packer);
  }
};

template <class P, class RowsX, class RowsY>
static void gradParams(const Call& call, const RowsX& x, const RowsY& dy) {
  const int64_t O = call.outputs[0].shape[0], I = call.outputs[0].shape[1], rows = call.inputs[0].size / I;
  float *const dw = (float*)call.outputs[0].data, *const db = (float*)call.outputs[1].data;
  if (O >= I)
    ParameterGradients<true, P, RowsX, RowsY>{call.pool, O, I, rows, x, dy, dw, db}.run();
  else
    ParameterGradients<false, P, RowsX, RowsY>{call.pool, O, I, rows, x, dy, dw, db}.run();
}

template <class P, class SX, class SY>
static void runLinearGradParams(const Call& call) {
  const int64_t O = call.outputs[0].shape[0], I = call.outputs[0].shape[1], rows = call.inputs[0].size / I;
  const PlainRows<SX> x = {(const SX*)call.inputs[0].data, I};
  const PlainRows<SY> dy = {(const SY*)call.inputs[1].data, O};
  if (call.inputCount > 2) {
    const float *shift = (const float*)call.inputs[2].data, *scale = (const float*)call.inputs[3].data;
    return gradParams<P>(call, ModulatedRows<SX>{x, shift, scale, (uint32_t)call.inputs[0].shape[1], 0}, dy);
  }
  switch (activationOf(call)) {
    case kGelu:
      return gradParams<P>(call, ActivatedRows<kGelu, SX>{x}, dy);
    case kSilu:
      return gradParams<P>(call, ActivatedRows<kSilu, SX>{x}, dy);
    default:
      if (rows > kFewRows) return gradParams<P>(call, x, dy);
      gradParamsFewRows<P>(call.pool, rows, O, I, x, dy, (float*)call.outputs[0].data, (float*)call.outputs[1].data);
  }
}

static void linearGradParamsKernel(const Call& call) {
  const bool lowX = call.inputs[0].dtype == DType::BFloat16, lowDy = call.inputs[1].dtype == DType::BFloat16;
  if (lowX && lowDy) return runLinearGradParams<LowPacked, bf16, bf16>(call);
  if (lowX) return runLinearGradParams<float, bf16, float>(call);
  if (lowDy) return runLinearGradParams<float, float, bf16>(call);
  runLinearGradParams<float, float, float>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
