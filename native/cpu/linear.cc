// Linear layers: y = act(x w^T + b) with the derivative of act, and the gradient of the input, dx = dy w or dx = (dy w) factor.
// x [rows, I], w [O, I], b [O], y and dy [rows, O], dx and factor [rows, I]; leading axes of x and y are flattened into rows.
//
// Both are one blocked product (gemm.h) whose pieces get bias, activation or factor, and are rounded to bf16, while they are in
// the first-level cache (linear.h). `factor` is the derivative of the activation that the layer before applied to its output.
#include "activation.h"
#include "linear.h"

namespace rectiflow {
namespace RF_NS {

enum Activation { kNoActivation = 0, kGelu = 1, kSilu = 2 };

template <int activation, class Y, class D>
static void writeActivation(const LinearOutput& out, const Tile& tile) {
  Y* const y = (Y*)out.y->data;
  D* const derivative = out.derivative ? (D*)out.derivative->data : nullptr;
  forTile(out.bias, tile, out.columns(), [=](int64_t at, int64_t, int64_t lanes, Pair x) RF_ALWAYS_INLINE {
    if constexpr (activation == kNoActivation) {
      storePair(y + at, x, lanes);
    } else {
      constexpr auto f = activation == kGelu ? geluWithDerivative : siluWithDerivative;
      Pair value, slope;
      f(x.low, &value.low, &slope.low);
      f(x.high, &value.high, &slope.high);
      storePair(y + at, value, lanes);
      if (derivative) storePair(derivative + at, slope, lanes);
    }
  });
}

template <class Y, class F>
static void writeScaled(const LinearOutput& out, const Tile& tile) {
  Y* const y = (Y*)out.y->data;
  const F* const factor = (const F*)out.factor->data;
  forTile(nullptr, tile, out.columns(), [=](int64_t at, int64_t, int64_t lanes, Pair x) RF_ALWAYS_INLINE {
    const Pair f = loadPair(factor + at, lanes);
    storePair(y + at, {x.low * f.low, x.high * f.high}, lanes);
  });
}

// writers[y is bf16][other is bf16]
static LinearOutput::Write writerFor(const Tensor* y, const Tensor* other, const LinearOutput::Write (&writers)[2][2]) {
  return writers[y->dtype == DType::BFloat16][other && other->dtype == DType::BFloat16];
}

template <int activation>
static LinearOutput::Write activationWriter(const LinearOutput& out) {
  return writerFor(out.y, out.derivative,
                   {{writeActivation<activation, float, float>, writeActivation<activation, float, bf16>},
                    {writeActivation<activation, bf16, float>, writeActivation<activation, bf16, bf16>}});
}

static void linearKernel(const Call& call) {
  const Tensor &x = call.inputs[0], &w = call.inputs[1];
  const int64_t O = w.shape[0], I = w.shape[1];
  LinearOutput out;
  out.bias = call.inputCount > 2 ? (const float*)call.inputs[2].data : nullptr;
  out.y = &call.outputs[0];
  out.derivative = call.outputCount > 1 && call.outputs[1].data ? &call.outputs[1] : nullptr;
  switch ((int)call.number("activation", kNoActivation)) {
    case kGelu:
      out.write = activationWriter<kGelu>(out);
      break;
    case kSilu:
      out.write = activationWriter<kSilu>(out);
      break;
    default:
      out.write = activationWriter<kNoActivation>(out);
  }
  runLinear(call.pool, x, x.size / I, I, O, (const float*)w.data, I, 1, out);
}

static void linearGradInputKernel(const Call& call) {
  const Tensor &dy = call.inputs[0], &w = call.inputs[1];
  const int64_t O = w.shape[0], I = w.shape[1];
  LinearOutput out;
  out.y = &call.outputs[0];
  out.factor = call.inputCount > 2 ? &call.inputs[2] : nullptr;
  out.write = out.factor ? writerFor(out.y, out.factor,
                                     {{writeScaled<float, float>, writeScaled<float, bf16>},
                                      {writeScaled<bf16, float>, writeScaled<bf16, bf16>}})
                         : activationWriter<kNoActivation>(out);
  runLinear(call.pool, dy, dy.size / O, O, I, (const float*)w.data, 1, I, out);
}

}  // namespace RF_NS
}  // namespace rectiflow
