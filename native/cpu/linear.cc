// Linear layers: y = act(x w^T + b), and the gradients dx = dy w, dw = dy^T x, db = sum over rows of dy.
// x [rows, I], w [O, I], b [O], y and dy [rows, O]; leading axes of x and y are flattened into rows.
//
// All three are one blocked product (gemm.h). Bias, activation, its derivative and the conversion to bf16 happen on pieces of y
// that are still in the first-level cache; db is summed from rows of dy that were just packed for dw. Where the data is bf16,
// products are bf16 x bf16 -> float32: the float32 weights are rounded while they are packed.
#include "activation.h"
#include "gemm.h"

namespace rectiflow {
namespace RF_NS {

enum Activation { kNoActivation = 0, kGelu = 1, kSilu = 2 };

// What happens to finished pieces of a product on their way to memory.
struct LinearOutput : GemmVisitor {
  using Write = void (*)(const LinearOutput& out, int64_t row, int64_t rows, int64_t col, int64_t cols, const float* tile,
                         int64_t ld);
  const float* bias = nullptr;  // none
  const Tensor* y = nullptr;
  const Tensor* derivative = nullptr;  // not wanted
  Write write = nullptr;

  int64_t stride() const { return y->shape[y->rank - 1]; }
  void prefetch(int64_t row, int64_t rows, int64_t col, int64_t cols) const {
    prefetch(*y, row, rows, col, cols);
    if (derivative) prefetch(*derivative, row, rows, col, cols);
  }
  void finish(int64_t row, int64_t rows, int64_t col, int64_t cols, const float* tile, int64_t ld) const {
    write(*this, row, rows, col, cols, tile, ld);
  }

 private:
  void prefetch(const Tensor& t, int64_t row, int64_t rows, int64_t col, int64_t cols) const {
    const int64_t bytes = t.dtype == DType::BFloat16 ? 2 : 4;
    prefetchBlock((const char*)t.data + (row * stride() + col) * bytes, stride() * bytes, rows, cols * bytes);
  }
};

template <int activation, class Y, class D>
static void writeLinear(const LinearOutput& out, int64_t row, int64_t rows, int64_t col, int64_t cols, const float* tile,
                        int64_t ld) {
  const int64_t stride = out.stride();
  for (int64_t j = 0; j < cols; j += kLanes) {
    const int64_t n = cols - j, at = row * stride + col + j;
    const vf bias = out.bias ? loadPartial(out.bias + col + j, n) : (vf){};
    Y* y = (Y*)out.y->data + at;
    D* derivative = out.derivative ? (D*)out.derivative->data + at : nullptr;
    for (int64_t i = 0; i < rows; i++, y += stride) {
      const vf x = load(tile + i * ld + j) + bias;
      if constexpr (activation == kNoActivation) {
        storePartial(y, x, n);
      } else {
        vf value, slope;
        if constexpr (activation == kGelu)
          geluWithDerivative(x, &value, &slope);
        else
          siluWithDerivative(x, &value, &slope);
        storePartial(y, value, n);
        if (derivative) storePartial(derivative + i * stride, slope, n);
      }
    }
  }
}

template <int activation>
static LinearOutput::Write linearWriter(const Tensor& y, const Tensor* derivative) {
  const bool lowDerivative = derivative && derivative->dtype == DType::BFloat16;
  if (y.dtype == DType::BFloat16)
    return lowDerivative ? writeLinear<activation, bf16, bf16> : writeLinear<activation, bf16, float>;
  return lowDerivative ? writeLinear<activation, float, bf16> : writeLinear<activation, float, float>;
}

// out = x W, W[k, j] being w[j*stride + k*kStride].
static void runLinear(Pool* pool, const Tensor& x, int64_t rows, int64_t K, int64_t cols, const float* w, int64_t stride,
                      int64_t kStride, const LinearOutput& out) {
  if (x.dtype == DType::BFloat16)
    gemm<LowPacked>(pool, rows, cols, K, Operand<bf16>{(const bf16*)x.data, K, 1},
                    Operand<LowFloat>{(const LowFloat*)w, stride, kStride}, out);
  else
    gemm<float>(pool, rows, cols, K, Operand<float>{(const float*)x.data, K, 1}, Operand<float>{w, stride, kStride}, out);
}

static void linearKernel(const Call& call) {
  const Tensor &x = call.inputs[0], &w = call.inputs[1];
  const int64_t O = w.shape[0], I = w.shape[1];
  LinearOutput out;
  out.bias = call.inputCount > 2 ? (const float*)call.inputs[2].data : nullptr;
  out.y = &call.outputs[0];
  out.derivative = call.outputCount > 1 ? &call.outputs[1] : nullptr;
  switch ((int)call.number("activation", kNoActivation)) {
    case kGelu:
      out.write = linearWriter<kGelu>(*out.y, out.derivative);
      break;
    case kSilu:
      out.write = linearWriter<kSilu>(*out.y, out.derivative);
      break;
    default:
      out.write = linearWriter<kNoActivation>(*out.y, nullptr);
  }
  runLinear(call.pool, x, x.size / I, I, O, (const float*)w.data, I, 1, out);
}

static void linearGradInputKernel(const Call& call) {
  const Tensor &dy = call.inputs[0], &w = call.inputs[1];
  const int64_t O = w.shape[0], I = w.shape[1];
  LinearOutput out;
  out.y = &call.outputs[0];
  out.write = linearWriter<kNoActivation>(*out.y, nullptr);
  runLinear(call.pool, dy, dy.size / O, O, I, (const float*)w.data, 1, I, out);
}

// total[j] = the sum over rows of x[rows, cols].
template <class S>
static void sumRows(const S* x, int64_t rows, int64_t cols, float* total) {
  for (int64_t j = 0; j < cols; j += kLanes) {
    vf sum = {};
    for (int64_t i = 0; i < rows; i++) sum += loadPartial(x + i * cols + j, cols - j);
    storePartial(total + j, sum, cols - j);
  }
}

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

// The summed dimension is rows, and there are many: a few MiB of both operands are packed at a time, so that they stay in the
// last-level cache, and dw gathers the sums of those parts. Packing goes along the rows as they lie in memory, by all threads;
// each item of it also leaves the sums of its rows of dy, which db then gathers in order.
constexpr int64_t kPackedBytes = 8 << 20;
constexpr int64_t kPackedRowsPerItem = 32;

template <class P, class SX, class SY>
static void runLinearGradParams(const Call& call) {
  const Tensor &dw = call.outputs[0], &db = call.outputs[1];
  const int64_t O = dw.shape[0], I = dw.shape[1], rows = call.inputs[0].size / I;
  const SX* x = (const SX*)call.inputs[0].data;
  const SY* dy = (const SY*)call.inputs[1].data;
  const int64_t fitting = kPackedBytes / ((O + I) * kPackedRowsPerItem * (int64_t)sizeof(P) / kUnitSize<P>);
  const int64_t part = min64(rows, min64(kUnitBlock * kUnitSize<P>, max64(8, fitting) * kPackedRowsPerItem));
  const int64_t leftStride = paddedPanel(unitsOf<P>(part) * kPackedRows), leftUnits = ceilDiv(O, kTileRows) * leftStride;
  const int64_t rightStride = paddedPanel(unitsOf<P>(part) * kTileCols), rightUnits = ceilDiv(I, kTileCols) * rightStride;
  const int64_t sumsBytes = ceilDiv(part, kPackedRowsPerItem) * O * sizeof(float);
  P* left = (P*)call.pool->shared((leftUnits + rightUnits) * sizeof(P) + sumsBytes);
  P* right = left + leftUnits;
  float *sums = (float*)(right + rightUnits), *total = (float*)db.data;
  const auto leftOf = [&](int64_t o, int64_t, int64_t, int64_t, P*) {
    return Left<P>{left + o / kTileRows * leftStride, leftStride, 1, kPackedRows};
  };

  memset(total, 0, O * sizeof(float));
  for (int64_t from = 0; from < rows; from += part, x += part * I, dy += part * O) {
    const int64_t count = min64(part, rows - from), items = ceilDiv(count, kPackedRowsPerItem);
    parallel(call.pool, items, [&](int64_t item, int) {
      const int64_t row = item * kPackedRowsPerItem, k = min64(kPackedRowsPerItem, count - row), unit = row / kUnitSize<P>;
      packAcross<LeftPanel>(dy + row * O, O, O, k, left + unit * kPackedRows, leftStride);
      packAcross<RightPanel>(x + row * I, I, I, k, right + unit * kTileCols, rightStride);
      sumRows(dy + row * O, k, O, sums + item * O);
    });
    for (int64_t item = 0; item < items; item++)
      for (int64_t o = 0; o < O; o++) total[o] += sums[item * O + o];
    multiplyBlocks(call.pool, O, I, count, chooseBlocking<P>(O, I, count, call.pool->threads()), 0, leftOf,
                   Right<P>{right, rightStride}, WeightGradient((float*)dw.data, I, from == 0));
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
