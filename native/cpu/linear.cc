// Linear layers: y = act(x w^T + b), and the gradients dx = dy w, dw = dy^T x, db = sum over rows of dy.
// x [rows, I], w [O, I], b [O], y and dy [rows, O]; leading axes of x and y are flattened into rows.
//
// All three are one blocked product (gemm.h). Bias, activation, its derivative and the conversion to bf16 happen on pieces of y
// that are still in the first-level cache; db is summed from dy just after a block of it was packed for dw. Where the data is
// bf16, products are bf16 x bf16 -> float32: the float32 weights are rounded while they are packed.
#include "activation.h"
#include "gemm.h"

namespace rectiflow {
namespace RF_NS {

// What happens to finished pieces of a product on their way to memory.
struct LinearOutput {
  const float* bias;  // or nullptr
  void* y;
  void* derivative;  // or nullptr
  int64_t stride;
  void (*write)(const LinearOutput& out, int64_t row, int64_t rows, int64_t col, int64_t cols, const float* tile, int64_t ld);
};

enum Activation { kNoActivation = 0, kGelu = 1, kSilu = 2 };

template <int activation, class Y, class D>
static void writeLinear(const LinearOutput& out, int64_t row, int64_t rows, int64_t col, int64_t cols, const float* tile,
                        int64_t ld) {
  for (int64_t j = 0; j < cols; j += kLanes) {
    const int64_t n = min64(kLanes, cols - j);
    const vf bias = out.bias ? loadPartial(out.bias + col + j, n) : (vf){};
    Y* y = (Y*)out.y + row * out.stride + col + j;
    D* derivative = (D*)out.derivative + row * out.stride + col + j;
    for (int64_t i = 0; i < rows; i++, y += out.stride, derivative += out.stride) {
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
        if (out.derivative) storePartial(derivative, slope, n);
      }
    }
  }
}

template <int activation>
static auto linearWriter(DType y, DType derivative) {
  if (y == DType::BFloat16)
    return derivative == DType::BFloat16 ? writeLinear<activation, bf16, bf16> : writeLinear<activation, bf16, float>;
  return derivative == DType::BFloat16 ? writeLinear<activation, float, bf16> : writeLinear<activation, float, float>;
}

// y = act(x W + b), W[k, j] being w[j*stride + k*kStride].
static void runLinear(Pool* pool, const Tensor& x, int64_t rows, int64_t K, int64_t cols, const float* w, int64_t stride,
                      int64_t kStride, const LinearOutput& out) {
  const auto finish = [&](int64_t row, int64_t height, int64_t col, int64_t width, const float* tile, int64_t ld) {
    out.write(out, row, height, col, width, tile, ld);
  };
  if (x.dtype == DType::BFloat16)
    gemm<LowPacked>(pool, rows, cols, K, Operand<bf16>{(const bf16*)x.data, K, 1},
                    Operand<LowFloat>{(const LowFloat*)w, stride, kStride}, finish);
  else
    gemm<float>(pool, rows, cols, K, Operand<float>{(const float*)x.data, K, 1}, Operand<float>{w, stride, kStride}, finish);
}

static void linearKernel(const Call& call) {
  const Tensor &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
  const int64_t O = w.shape[0], I = w.shape[1];
  const Tensor* derivative = call.outputCount > 1 ? &call.outputs[1] : nullptr;
  LinearOutput out = {call.inputCount > 2 ? (const float*)call.inputs[2].data : nullptr, y.data,
                      derivative ? derivative->data : nullptr, O, nullptr};
  const DType slope = derivative ? derivative->dtype : DType::Float32;
  switch ((int)call.number("activation", kNoActivation)) {
    case kGelu:
      out.write = linearWriter<kGelu>(y.dtype, slope);
      break;
    case kSilu:
      out.write = linearWriter<kSilu>(y.dtype, slope);
      break;
    default:
      out.write = linearWriter<kNoActivation>(y.dtype, DType::Float32);
  }
  runLinear(call.pool, x, y.size / O, I, O, (const float*)w.data, I, 1, out);
}

static void linearGradInputKernel(const Call& call) {
  const Tensor &dy = call.inputs[0], &w = call.inputs[1], &dx = call.outputs[0];
  const int64_t O = w.shape[0], I = w.shape[1];
  const LinearOutput out = {nullptr, dx.data, nullptr, I, linearWriter<kNoActivation>(dx.dtype, DType::Float32)};
  runLinear(call.pool, dy, dy.size / O, O, I, (const float*)w.data, 1, I, out);
}

// total[j] += the sum over rows of x[rows, cols], in the order of rows.
template <class S>
static void addRows(const S* x, int64_t stride, int64_t rows, int64_t cols, float* total) {
  for (int64_t j = 0; j < cols; j += 2 * kLanes) {
    const int64_t n = min64(kLanes, cols - j), m = max64(0, min64(kLanes, cols - j - kLanes));
    vf first = {}, second = {};
    for (int64_t i = 0; i < rows; i++) {
      first += loadPartial(x + i * stride + j, n);
      second += loadPartial(x + i * stride + j + kLanes, m);
    }
    storePartial(total + j, loadPartial(total + j, n) + first, n);
    storePartial(total + j + kLanes, loadPartial(total + j + kLanes, m) + second, m);
  }
}

// Rows are the summed dimension, and there are many: x is packed a few MiB at a time, so that it stays in the last-level cache,
// and dw gathers the sums of those parts.
constexpr int64_t kPackedBytes = 4 << 20;

template <class P, class SX, class SY>
static void runLinearGradParams(const Call& call) {
  const Tensor &x = call.inputs[0], &dy = call.inputs[1];
  float *dw = (float*)call.outputs[0].data, *db = (float*)call.outputs[1].data;
  const int64_t O = call.outputs[0].shape[0], I = call.outputs[0].shape[1], rows = x.size / I;
  const int64_t block = kUnitBlock * kUnitSize<P>;
  const int64_t perPart = max64(1, kPackedBytes / packedColsBytes<P>(I, block)) * block;
  for (int64_t from = 0; from < rows; from += perPart) {
    const int64_t part = min64(perPart, rows - from);
    const SX* xPart = (const SX*)x.data + from * I;
    const SY* dyPart = (const SY*)dy.data + from * O;
    blockedGemm<P>(
        call.pool, O, I, part, Operand<SY>{dyPart, 1, O}, Operand<SX>{xPart, 1, I},
        [&](int64_t o, int64_t height, int64_t i, int64_t width, const float* tile, int64_t ld) {
          for (int64_t r = 0; r < height; r++, tile += ld) {
            float* out = dw + (o + r) * I + i;
            for (int64_t c = 0; c < width; c += kLanes) {
              const vf sum = load(tile + c);
              storePartial(out + c, from ? loadPartial(out + c, width - c) + sum : sum, width - c);
            }
          }
        },
        [&](int64_t o, int64_t height, int64_t k0, int64_t k) {
          if (from == 0 && k0 == 0) memset(db + o, 0, height * sizeof(float));
          addRows(dyPart + k0 * O + o, O, k, height, db + o);
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
