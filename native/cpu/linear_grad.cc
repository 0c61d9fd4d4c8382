// The gradients of a linear layer's parameters: dw = dy^T x, db = sum over rows of dy.
// x [rows, I], dy [rows, O] -> dw [O, I], db [O]; leading axes of x and dy are flattened into rows.
//
// x may be given by what it was made of, which the backward pass keeps anyway, so that nobody has to keep x: act(z) by z, and the
// modulated layer norm h (1 + scale) + shift by h [B, N, I], shift and scale [B, I]. It is then made again while it is packed, by the
// same operations, to the bit.
//
// The summed dimension is rows, and there are many. They are two sums, over the first half of the rows and the second, which are
// added in the end: each half is packed and multiplied by half of the threads, so little more than sums goes from core to core.
// Of two numbers it does not matter which is added to which, so the halves need not wait for each other.
//
// Some MiB of both operands are packed at a time, few enough for the last-level cache and many enough that the sums of those parts
// seldom have to come from memory again. Packing goes along the rows as they lie in memory; each item of it also leaves
// the sums of its rows of dy, which db then gathers in order.
#include "activation.h"
#include "few_rows_grad.h"
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

// Products of dy^T and x, summed over one half of the rows of a part. The pieces of each half wait in sums of its own; who completes
// a piece that the other half has completed before writes dw.
struct WeightGradient : GemmVisitor {
  float *dw, *sums[2];
  int64_t I, half;
  bool firstPart;
  uint32_t* completed;  // how many halves, by the piece; nullptr: there are more parts, or one half
  int64_t pieceRows;

  void prefetch(int64_t o, int64_t height, int64_t i, int64_t width) const {
    prefetchBlock(sums[half] + o * I + i, I * 4, height, width * 4);
  }
  void finish(int64_t o, int64_t height, int64_t i, int64_t width, const float* tile, int64_t ld) const {
    const int64_t at = o * I + i;
    if (firstPart)
      write(sums[half] + at, height, width, tile, ld, [](vf sum, vf) RF_ALWAYS_INLINE { return sum; });
    else
      write(sums[half] + at, height, width, tile, ld, [](vf sum, vf old) RF_ALWAYS_INLINE { return old + sum; });
    if (!completed) return;
    uint32_t* const count = completed + o / pieceRows * ceilDiv(I, kTileCols) + i / kTileCols;
    if (__atomic_fetch_add(count, 1, __ATOMIC_ACQ_REL))
      write(dw + at, height, width, sums[1] + at, I, [](vf second, vf first) RF_ALWAYS_INLINE { return first + second; });
  }

 private:
  // out = value(terms, out)
  template <class Value>
  RF_INLINE void write(float* out, int64_t height, int64_t width, const float* terms, int64_t ld, Value&& value) const {
    for (int64_t r = 0; r < height; r++, out += I, terms += ld)
      for (int64_t c = 0; c < width; c += kLanes) {
        const int64_t lanes = width - c;
        storePartial(out + c, value(loadPartial(terms + c, lanes), loadPartial(out + c, lanes)), lanes);
      }
  }
};

constexpr int64_t kPackedBytes = 8 << 20;
constexpr int64_t kPackedRowsPerItem = 32;

// What the threads share: the operands of one part, which are panels of dy^T (left) and x (right); for each item of packing the
// sums of its rows of dy; the second half's sums, and the count of complete halves for each piece of dw.
template <class P>
struct PackedPart {
  int64_t rows, leftStride, rightStride, sumsStride;
  P *left, *right;
  float *sums, *secondHalf;
  uint32_t* completed;

  PackedPart(Pool* pool, int64_t total, int64_t O, int64_t I) {
    const int64_t fitting = kPackedBytes / ((O + I) * kPackedRowsPerItem * (int64_t)sizeof(P) / kUnitSize<P>);
    rows = min64(total, max64(8, fitting) * kPackedRowsPerItem);
    leftStride = paddedPanel(unitsOf<P>(rows) * BlockPanel::stride);
    rightStride = paddedPanel(unitsOf<P>(rows) * RightPanel::stride);
    sumsStride = ceilDiv(O, kLanes) * kLanes;
    const int64_t leftUnits = ceilDiv(O, BlockPanel::width) * leftStride, rightUnits = ceilDiv(I, kTileCols) * rightStride;
    const int64_t sumsCount = ceilDiv(rows, kPackedRowsPerItem) * sumsStride;
    const int64_t pieces = ceilDiv(O, kTileRows) * ceilDiv(I, kTileCols);
    left = (P*)pool->shared((leftUnits + rightUnits) * sizeof(P) + (sumsCount + O * I + pieces) * sizeof(float));
    right = left + leftUnits;
    sums = (float*)(right + rightUnits);
    secondHalf = sums + sumsCount;
    completed = (uint32_t*)(secondHalf + O * I);
    memset(completed, 0, pieces * sizeof(uint32_t));
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

// Packs rows [from, from + count) of both operands, and adds those of dy to db.
template <class P, class SX, class SY>
static void packPart(const Call& call, const PackedPart<P>& part, int64_t from, int64_t count) {
  const int64_t O = call.outputs[0].shape[0], I = call.outputs[0].shape[1], items = ceilDiv(count, kPackedRowsPerItem);
  const SX* const x = (const SX*)call.inputs[0].data + from * I;
  const SY* const dy = (const SY*)call.inputs[1].data + from * O;
  const MakeRows<SX> make = makerOf<SX>(call);
  parallel(call.pool, items, [&](int64_t item, int thread) {
    const int64_t row = item * kPackedRowsPerItem, k = min64(kPackedRowsPerItem, count - row), unit = row / kUnitSize<P>;
    float* sums = part.sums + item * part.sumsStride;
    memset(sums, 0, part.sumsStride * sizeof(float));
    packAcross<BlockPanel, true>(dy + row * O, O, O, k, part.left + unit * BlockPanel::stride, part.leftStride, sums);
    const SX* rowsOfX = x + row * I;
    if (make) {
      SX* const made = (SX*)call.pool->scratch(thread, k * I * sizeof(SX));
      make(call, from + row, k, made);
      rowsOfX = made;
    }
    packAcross<RightPanel>(rowsOfX, I, I, k, part.right + unit * RightPanel::stride, part.rightStride);
  });
  float* const db = (float*)call.outputs[1].data;
  for (int64_t item = 0; item < items; item++)
    for (int64_t o = 0; o < O; o++) db[o] += part.sums[item * part.sumsStride + o];
}

template <class P, class SX, class SY>
static void runLinearGradParams(const Call& call) {
  const int64_t O = call.outputs[0].shape[0], I = call.outputs[0].shape[1], rows = call.inputs[0].size / I;
  const int64_t halves = rows > kPackedRowsPerItem ? 2 : 1, threads = call.pool->threads();
  float* const dw = (float*)call.outputs[0].data;
  if (rows <= kFewRows && !makerOf<SX>(call))
    return gradParamsFewRows<P>(call.pool, rows, O, I, (const SX*)call.inputs[0].data, (const SY*)call.inputs[1].data, dw,
                                (float*)call.outputs[1].data);
  const PackedPart<P> part(call.pool, rows, O, I);
  memset(call.outputs[1].data, 0, O * sizeof(float));
  for (int64_t from = 0; from < rows; from += part.rows) {
    const int64_t count = min64(part.rows, rows - from);
    const int64_t half = ceilDiv(count, halves * kPackedRowsPerItem) * kPackedRowsPerItem;
    packPart<P, SX, SY>(call, part, from, count);
    const Blocking by = chooseBlocking<P>(O, I, half, (int)ceilDiv(threads, halves));
    uint32_t* const completed = halves == 2 && from + count == rows ? part.completed : nullptr;
    parallel(call.pool, halves * by.items(), [&](int64_t item, int thread) {
      // Each half of the threads begins in the middle of what the other half does, so they seldom meet. A single thread takes both
      // halves of a block at once.
      const int64_t which = threads == 1 ? item % halves : item / by.items();
      const int64_t block = threads == 1 ? item / halves : (item + which * (by.items() / 2)) % by.items();
      const int64_t first = which * half, K = max64(0, min64(half, count - first));
      const auto leftOf = [&](int64_t o, int64_t, int64_t k0, int64_t, P*) {
        const P* panel =
            part.left + o / BlockPanel::width * part.leftStride + (first + k0) / kUnitSize<P> * BlockPanel::stride;
        return Left<P>{panel + o % BlockPanel::width, kTileRows, 1, BlockPanel::stride};
      };
      const Right<P> right = rightFrom(Right<P>{part.right, part.rightStride}, 0, first);
      const WeightGradient sums = {{}, dw, {dw, part.secondHalf}, I, which, from == 0, completed, by.rows};
      multiplyItem(call.pool, thread, block, O, I, K, by, 0, leftOf, right, sums);
    });
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
