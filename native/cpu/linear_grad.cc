// The gradients of a linear layer's parameters: dw = dy^T x, db = sum over rows of dy.
// x [rows, I], dy [rows, O] -> dw [O, I], db [O]; leading axes of x and dy are flattened into rows.
//
// x may be given by what it was made of, which the backward pass keeps anyway, so that nobody has to keep x: act(z) by z, and the
// modulated layer norm h (1 + scale) + shift by h [B, N, I], shift and scale [B, I]. It is then made again while it is packed, by the
// same operations, to the bit.
//
// The summed dimension is rows, and there are many: some MiB of both operands are packed at a time, few enough for the
// last-level cache and many enough that dw, which gathers the sums of those parts, seldom has to come from memory again. Packing
// goes along the rows as they lie in memory, by all threads; each item of it also leaves the sums of its rows of dy, which db then
// gathers in order.
#include "activation.h"
#include "few_rows_grad.h"
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

// Products of dy^T and x, summed over a part of the rows.
struct WeightGradient : GemmVisitor {
  float* dw;
  int64_t I;
  bool first;  // part
  WeightGradient(float* dw, int64_t I, bool first) : dw(dw), I(I), first(first) {}

  void prefetch(int64_t o, int64_t height, int64_t i, int64_t width) const {
    prefetchBlock(dw + o * I + i, I * 4, height, width * 4);
  }
  void finish(int64_t o, int64_t height, int64_t i, int64_t width, const float* tile, int64_t ld) const {
    for (int64_t r = 0; r < height; r++, tile += ld) {
      float* out = dw + (o + r) * I + i;
      for (int64_t c = 0; c < width; c += kLanes) {
        const vf sum = load(tile + c);
        storePartial(out + c, first ? sum : loadPartial(out + c, width - c) + sum, width - c);
      }
    }
  }
};

constexpr int64_t kPackedBytes = 16 << 20;
constexpr int64_t kPackedRowsPerItem = 32;

// The operands of one part: panels of dy^T (left) and x (right), and for each item of packing the sums of its rows of dy.
template <class P>
struct PackedPart {
  int64_t rows, leftStride, rightStride, sumsStride;
  P *left, *right;
  float* sums;

  PackedPart(Pool* pool, int64_t total, int64_t O, int64_t I) {
    const int64_t fitting = kPackedBytes / ((O + I) * kPackedRowsPerItem * (int64_t)sizeof(P) / kUnitSize<P>);
    rows = min64(total, max64(8, fitting) * kPackedRowsPerItem);
    leftStride = paddedPanel(unitsOf<P>(rows) * BlockPanel::stride);
    rightStride = paddedPanel(unitsOf<P>(rows) * RightPanel::stride);
    sumsStride = ceilDiv(O, kLanes) * kLanes;
    const int64_t leftUnits = ceilDiv(O, BlockPanel::width) * leftStride, rightUnits = ceilDiv(I, kTileCols) * rightStride;
    const int64_t sumsBytes = ceilDiv(rows, kPackedRowsPerItem) * sumsStride * sizeof(float);
    left = (P*)pool->shared((leftUnits + rightUnits) * sizeof(P) + sumsBytes);
    right = left + leftUnits;
    sums = (float*)(right + rightUnits);
  }
};

// Rows [row, row + rows) of x, made of what the call has in its place.
template <class S>
using MakeRows = void (*)(const Call& call, int64_t row, int64_t rows, S* x);

template <int activation, class S>
static void makeActivated(const Call& call, int64_t row, int64_t rows, S* x) {
  const int64_t I = call.outputs[0].shape[1];
  const S* z = (const S*)call.inputs[0].data + row * I;
  for (int64_t i = 0; i < rows * I; i += 2 * kLanes)
    storePair(x + i, activated<activation, S>(loadPair(z + i, rows * I - i)), rows * I - i);
}

template <class S>
static void makeModulated(const Call& call, int64_t row, int64_t rows, S* x) {
  const int64_t N = call.inputs[0].shape[1], I = call.outputs[0].shape[1];
  const S* h = (const S*)call.inputs[0].data + row * I;
  for (int64_t end = row + rows; row < end; row++, h += I, x += I) {
    const float *shift = (const float*)call.inputs[2].data + row / N * I, *scale = (const float*)call.inputs[3].data + row / N * I;
    forVectors<2>(I, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
      storePartial(x + j, modulated(loadPartial(h + j, lanes), loadPartial(shift + j, lanes), loadPartial(scale + j, lanes)), lanes);
    });
  }
}

// nullptr: x lies in memory as it is.
template <class S>
static MakeRows<S> makerOf(const Call& call) {
  if (call.inputCount > 2) return makeModulated<S>;
  switch (activationOf(call)) {
    case kGelu:
      return makeActivated<kGelu, S>;
    case kSilu:
      return makeActivated<kSilu, S>;
    default:
      return nullptr;
  }
}

template <class P, class SX, class SY>
static void runLinearGradParams(const Call& call) {
  const Tensor &dw = call.outputs[0], &db = call.outputs[1];
  const int64_t O = dw.shape[0], I = dw.shape[1], rows = call.inputs[0].size / I;
  const SX* x = (const SX*)call.inputs[0].data;
  const SY* dy = (const SY*)call.inputs[1].data;
  const MakeRows<SX> make = makerOf<SX>(call);
  if (rows <= kFewRows && !make) return gradParamsFewRows<P>(call.pool, rows, O, I, x, dy, (float*)dw.data, (float*)db.data);
  float* total = (float*)db.data;
  const PackedPart<P> part(call.pool, rows, O, I);
  const auto leftOf = [&](int64_t o, int64_t, int64_t k0, int64_t, P*) {
    const P* panel = part.left + o / BlockPanel::width * part.leftStride + k0 / kUnitSize<P> * BlockPanel::stride;
    return Left<P>{panel + o % BlockPanel::width, kTileRows, 1, BlockPanel::stride};
  };

  memset(total, 0, O * sizeof(float));
  for (int64_t from = 0; from < rows; from += part.rows, dy += part.rows * O) {
    const int64_t count = min64(part.rows, rows - from), items = ceilDiv(count, kPackedRowsPerItem);
    parallel(call.pool, items, [&](int64_t item, int thread) {
      const int64_t row = item * kPackedRowsPerItem, k = min64(kPackedRowsPerItem, count - row), unit = row / kUnitSize<P>;
      float* sums = part.sums + item * part.sumsStride;
      memset(sums, 0, part.sumsStride * sizeof(float));
      packAcross<BlockPanel, true>(dy + row * O, O, O, k, part.left + unit * BlockPanel::stride, part.leftStride, sums);
      const SX* rowsOfX = x + (from + row) * I;
      if (make) {
        SX* const made = (SX*)call.pool->scratch(thread, k * I * sizeof(SX));
        make(call, from + row, k, made);
        rowsOfX = made;
      }
      packAcross<RightPanel>(rowsOfX, I, I, k, part.right + unit * RightPanel::stride, part.rightStride);
    });
    for (int64_t item = 0; item < items; item++)
      for (int64_t o = 0; o < O; o++) total[o] += part.sums[item * part.sumsStride + o];
    multiplyBlocks(call.pool, O, I, count, chooseBlocking<P>(O, I, count, call.pool->threads()), 0, leftOf,
                   Right<P>{part.right, part.rightStride}, WeightGradient((float*)dw.data, I, from == 0));
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
