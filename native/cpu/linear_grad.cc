// The gradients of a linear layer's parameters: dw = dy^T x, db = sum over rows of dy.
// x [rows, I], dy [rows, O] -> dw [O, I], db [O]; leading axes of x and dy are flattened into rows.
//
// x may be given by what it was made of, which the backward pass keeps anyway (made_rows.h): act(z) by z, and the modulated layer
// norm h (1 + scale) + shift by h [B, N, I], shift and scale [B, I].
//
// The summed dimension is rows, and there are many: they are summed in two halves, and both operands have to be packed. The
// narrower one is shared (shared_operand.h): all threads pack it, some MiB at a time. The wider one is cut into strips of columns;
// an item packs its strip of a half beside its own products (strip.h), and the beginning of the next item's beside the last of
// them. Sums go straight into the item's part of dw, a chunk after the other; those of the second half join them in the end.
#include <type_traits>

#include "few_rows_grad.h"
#include "loops.h"
#include "made_rows.h"
#include "shared_operand.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kItemsPerThread = 12;  // which even out unequal speeds
constexpr int64_t kLeastPart = 192;      // columns of the shared operand for an item: enough products to pack beside

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
  using Shared = SharedOperand<SharedPanel, P>;
  using Cut = std::conditional_t<kCutsY, RowsY, RowsX>;
  using Packer = ChunkPacker<std::conditional_t<kCutsY, BlockPanel, RightPanel>, kCutsY, P, Cut>;
  static constexpr int64_t kStrip = kCutsY ? kStripOfLeft : kStripOfRight;

  const Call& call;
  int64_t O, I, rows;
  RowsX x;
  RowsY dy;
  float *dw, *db;

  void run() const {
    const Shared shared(call, Halves(rows), kCutsY ? I : O, O * I + O);
    if (!call.reserve(shared.bytes, sizeof(Workplace<P>))) return;
    const Sums sums[] = {{dw, db}, {shared.result, shared.result + O * I}};
    for (int64_t half = 0; half < shared.halves.count; half++) memset(sums[half].db, 0, O * sizeof(float));
    for (int64_t from = 0; from < shared.halves.rows; from += shared.rows) {
      if constexpr (kCutsY) {
        shared.template pack<false>(call.pool, x, from, nullptr);
        addRows(shared, dy, O, from, sums);
      } else {
        shared.template pack<true>(call.pool, dy, from, db);
        addRows(shared, x, I, from, sums);
      }
    }
    if (shared.halves.count == 1) return;
    forRanges(call.pool, O * I, kGrain, [&](int64_t begin, int64_t end) { addTo(dw + begin, sums[1].dw + begin, end - begin); });
    addTo(db, sums[1].db, O);
  }

 private:
  struct Sums {
    float *dw, *db;
  };

  // Adds the sums over the packed rows. An item is a half, a strip and a part of the shared operand.
  void addRows(const Shared& shared, const Cut& cut, int64_t columns, int64_t from, const Sums* sums) const {
    Pool* const pool = call.pool;
    const Halves& halves = shared.halves;
    const int64_t strips = ceilDiv(columns, kStrip), panels = ceilDiv(shared.columns, SharedPanel::width);
    const int64_t wanted = ceilDiv(kItemsPerThread * pool->threads(), halves.count * strips);
    const int64_t partPanels = ceilDiv(panels, max64(1, min64(wanted, shared.columns / kLeastPart)));
    const int64_t parts = ceilDiv(panels, partPanels), itemsOfHalf = strips * parts;
    const auto packerOf = [&](int64_t item, int64_t row, Chunk<P>* chunk) {
      const int64_t half = item / itemsOfHalf, col = item % itemsOfHalf / parts * kStrip;
      const int64_t count = halves.rowsFrom(half, from + row, min64(kChunkRows<P>, shared.rows - row));
      return Packer(cut.from(half * halves.rows + from + row, col), count, min64(kStrip, columns - col), chunk);
    };
    const auto workplaceOf = [&](int thread) { return (Workplace<P>*)call.own(thread); };
    for (int thread = 0; thread < pool->threads(); thread++) workplaceOf(thread)->begun = -1;

    parallel(pool, halves.count * itemsOfHalf, [&](int64_t item, int thread) {
      Workplace<P>& mine = *workplaceOf(thread);
      if (mine.begun != item) packerOf(item, 0, &mine.chunks[mine.current = 0]).packAtOnce();
      const int64_t half = item / itemsOfHalf, col = item % itemsOfHalf / parts * kStrip, cols = min64(kStrip, columns - col);
      const int64_t part = item % parts * partPanels * SharedPanel::width;
      const int64_t width = min64(shared.columns - part, partPanels * SharedPanel::width);
      const int64_t count = halves.rowsFrom(half, from, shared.rows);
      const bool begins = (item + 1) % itemsOfHalf != 0;  // the next item, which is of the same half
      for (int64_t row = 0, next = kChunkRows<P>; row < count; row = next, next += kChunkRows<P>) {
        const Chunk<P>& chunk = mine.chunks[mine.current];
        Chunk<P>* const other = &mine.chunks[mine.current ^= 1];
        Packer packer = next < count || !begins ? packerOf(item, next, other) : packerOf(item + 1, 0, other);
        const P* const packed = shared.at(half, row, part);
        const int64_t k = min64(kChunkRows<P>, count - row);
        const bool first = from + row == 0;
        if constexpr (kCutsY)
          multiplyLeft(chunk, k, col, cols, Right<P>{packed, shared.panelStride}, part, width, sums[half], first, &packer);
        else
          multiplyRight(chunk, k, col, cols, Left<P>{packed, shared.panelStride, 1, SharedPanel::stride}, part, width,
                        sums[half].dw, first, &packer);
        packer.finish();
      }
      mine.begun = begins ? item + 1 : -1;
    });
  }

  // A strip of dy, columns [o, o + height), with columns [i, i + width) of x.
  void multiplyLeft(const Chunk<P>& chunk, int64_t k, int64_t o, int64_t height, Right<P> right, int64_t i, int64_t width,
                    Sums sums, bool first, Packer* packer) const {
    const int64_t pieces = ceilDiv(packer->left(), max64(1, height / kTileRows * (width / kTileCols)));
    multiplyAndPack(height, width, k, chunk.left(), right, sums.dw + o * I + i, I, !first, pieces, packer);
    if (i == 0)
      for (int64_t row = 0; row < height; row++) sums.db[o + row] += chunk.sums[row];
  }

  // A strip of x, columns [i, i + width), with columns [o, o + height) of dy, whose panels are left.tileStride apart.
  void multiplyRight(const Chunk<P>& chunk, int64_t k, int64_t i, int64_t width, Left<P> left, int64_t o, int64_t height,
                     float* dw, bool first, Packer* packer) const {
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
    ParameterGradients<true, P, RowsX, RowsY>{call, O, I, rows, x, dy, dw, db}.run();
  else
    ParameterGradients<false, P, RowsX, RowsY>{call, O, I, rows, x, dy, dw, db}.run();
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
      gradParamsFewRows<P>(call, rows, O, I, x, dy, (float*)call.outputs[0].data, (float*)call.outputs[1].data);
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
