// Linear layers: z = x w^T + b and y = act(z), and the gradient of the input, dx = dy w, (dy w) factor or (dy w) act'(z).
// x [rows, I], w [O, I], b [O], y and dy [rows, O], dx, factor and z [rows, I]; leading axes of x and y are flattened into rows.
//
// Both are one blocked product (gemm.h) whose pieces get bias, activation or factor, and are rounded to bf16, while they are in
// the first-level cache (linear.h). In the gradient z is what the layer before applied its activation to. Where y is bf16, z is
// rounded before the activation: what is kept of z then gives the same y again, to the bit (linear_grad.cc).
#include "activation.h"
#include "linear.h"

namespace rectiflow {
namespace RF_NS {

template <int activation, class Y, class Z>
static void writeActivation(const LinearOutput& out, const Tile& tile) {
  Y* const y = (Y*)out.y->data;
  Z* const z = out.preactivation ? (Z*)out.preactivation->data : nullptr;
  forTile(out.bias, tile, out.columns(), [=](int64_t at, int64_t, int64_t lanes, Pair x) RF_ALWAYS_INLINE {
    if constexpr (activation == kNoActivation) {
      storePair(y + at, x, lanes);
    } else {
      const Pair rounded = roundedTo<Y>(x);
      storePair(y + at, activated<activation, Y>(rounded), lanes);
      if (z) storePair(z + at, rounded, lanes);
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

template <int activation, class Y, class Z>
static void writeActivationGrad(const LinearOutput& out, const Tile& tile) {
  Y* const y = (Y*)out.y->data;
  const Z* const z = (const Z*)out.preactivation->data;
  forTile(nullptr, tile, out.columns(), [=](int64_t at, int64_t, int64_t lanes, Pair x) RF_ALWAYS_INLINE {
    const Pair slope = activationSlope<activation, Z>(loadPair(z + at, lanes));
    storePair(y + at, {x.low * slope.low, x.high * slope.high}, lanes);
  });
}

// writers[y is bf16][other is bf16]
static LinearOutput::Write writerFor(const Tensor* y, const Tensor* other, const LinearOutput::Write (&writers)[2][2]) {
  return writers[y->dtype == DType::BFloat16][other && other->dtype == DType::BFloat16];
}

template <int activation>
static LinearOutput::Write activationWriter(const LinearOutput& out) {
  return writerFor(out.y, out.preactivation,
                   {{writeActivation<activation, float, float>, writeActivation<activation, float, bf16>},
                    {writeActivation<activation, bf16, float>, writeActivation<activation, bf16, bf16>}});
}

template <int activation>
static LinearOutput::Write activationGradWriter(const LinearOutput& out) {
  return writerFor(out.y, out.preactivation,
                   {{writeActivationGrad<activation, float, float>, writeActivationGrad<activation, float, bf16>},
                    {writeActivationGrad<activation, bf16, float>, writeActivationGrad<activation, bf16, bf16>}});
}

static LinearOutput::Write scaledWriter(const LinearOutput& out) {
  return writerFor(out.y, out.factor,
                   {{writeScaled<float, float>, writeScaled<float, bf16>}, {writeScaled<bf16, float>, writeScaled<bf16, bf16>}});
}

static void linearKernel(const Call& call) {
  const Tensor &x = call.inputs[0], &w = call.inputs[1];
  const int64_t O = w.shape[0], I = w.shape[1];
  LinearOutput out;
  out.bias = call.inputCount > 2 ? (const float*)call.inputs[2].data : nullptr;
  out.y = &call.outputs[0];
  out.preactivation = call.outputCount > 1 && call.outputs[1].data ? &call.outputs[1] : nullptr;
  switch (activationOf(call)) {
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
  const Tensor* const third = call.inputCount > 2 ? &call.inputs[2] : nullptr;
  const Activation activation = activationOf(call);
  LinearOutput out;
  out.y = &call.outputs[0];
  (activation == kNoActivation ? out.factor : out.preactivation) = third;
  switch (activation) {
    case kGelu:
      out.write = activationGradWriter<kGelu>(out);
      break;
    case kSilu:
      out.write = activationGradWriter<kSilu>(out);
      break;
    default:
      out.write = third ? scaledWriter(out) : activationWriter<kNoActivation>(out);
  }
  runLinear(call.pool, dy, dy.size / O, O, I, (const float*)w.data, 1, I, out);
}

}  // namespace RF_NS
}  // namespace rectiflow
