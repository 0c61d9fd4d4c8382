// Linear layers: z = x w^T + b and y = act(z), and the gradient of the input, dx = dy w, (dy w) factor or (dy w) act'(z).
// x [rows, I], w [O, I], b [O], y and dy [rows, O], dx, factor and z [rows, I]; leading axes of x and y are flattened into rows.
//
// Both are one blocked product (gemm.h) whose pieces get bias, activation or factor, and are rounded to bf16, beside the products
// of the next (linear.h). In the gradient z is what the layer before applied its activation to. Where y is bf16, z is rounded
// before the activation: what is kept of z then gives the same y again, to the bit (linear_grad.cc).
#include "activation.h"
#include "linear.h"

namespace rectiflow {
namespace RF_NS {

template <int activation, class Y, class Z>
struct ActivationEnd {
  Y* const y;
  Z* const z;
  explicit ActivationEnd(const LinearOutput& out)
      : y((Y*)out.y->data), z(out.preactivation ? (Z*)out.preactivation->data : nullptr) {}

  RF_INLINE void fetch(int64_t) const {}
  RF_INLINE void operator()(int64_t, int64_t at, int64_t, int64_t lanes, Pair x) const {
    if constexpr (activation == kNoActivation) {
      storePair(y + at, x, lanes);
    } else {
      const Pair rounded = roundedTo<Y>(x);
      storePair(y + at, activated<activation, Y>(rounded), lanes);
      if (z) storePair(z + at, rounded, lanes);
    }
  }
};

template <class Y, class F>
struct ScaledEnd {
  Y* const y;
  const F* const factor;
  explicit ScaledEnd(const LinearOutput& out) : y((Y*)out.y->data), factor((const F*)out.factor->data) {}

  RF_INLINE void fetch(int64_t at) const { fetchPair(factor + at); }
  RF_INLINE void operator()(int64_t, int64_t at, int64_t, int64_t lanes, Pair x) const {
    const Pair f = loadPair(factor + at, lanes);
    storePair(y + at, {x.low * f.low, x.high * f.high}, lanes);
  }
};

template <int activation, class Y, class Z>
struct ActivationGradEnd {
  Y* const y;
  const Z* const z;
  explicit ActivationGradEnd(const LinearOutput& out) : y((Y*)out.y->data), z((const Z*)out.preactivation->data) {}

  RF_INLINE void fetch(int64_t at) const { fetchPair(z + at); }
  RF_INLINE void operator()(int64_t, int64_t at, int64_t, int64_t lanes, Pair x) const {
    const Pair slope = activationSlope<activation, Z>(loadPair(z + at, lanes));
    storePair(y + at, {x.low * slope.low, x.high * slope.high}, lanes);
  }
};

// That of End<Y, Other>, by the types of y and of the other tensor.
template <template <class, class> class End>
static Epilogue epilogueFor(const Tensor* y, const Tensor* other) {
  const bool lowY = y->dtype == DType::BFloat16, lowOther = other && other->dtype == DType::BFloat16;
  if (lowY) return lowOther ? epilogueOf<End<bf16, bf16>, bf16>() : epilogueOf<End<bf16, float>, bf16>();
  return lowOther ? epilogueOf<End<float, bf16>, float>() : epilogueOf<End<float, float>, float>();
}
template <class Y, class Z>
using PlainEnd = ActivationEnd<kNoActivation, Y, Z>;
template <class Y, class Z>
using GeluEnd = ActivationEnd<kGelu, Y, Z>;
template <class Y, class Z>
using SiluEnd = ActivationEnd<kSilu, Y, Z>;
template <class Y, class Z>
using GeluGradEnd = ActivationGradEnd<kGelu, Y, Z>;
template <class Y, class Z>
using SiluGradEnd = ActivationGradEnd<kSilu, Y, Z>;

static void linearKernel(const Call& call) {
  const Tensor &x = call.inputs[0], &w = call.inputs[1];
  const int64_t O = w.shape[0], I = w.shape[1];
  LinearOutput out;
  out.bias = call.inputCount > 2 ? (const float*)call.inputs[2].data : nullptr;
  out.y = &call.outputs[0];
  out.preactivation = call.outputCount > 1 && call.outputs[1].data ? &call.outputs[1] : nullptr;
  switch (activationOf(call)) {
    case kGelu:
      out.epilogue = epilogueFor<GeluEnd>(out.y, out.preactivation);
      break;
    case kSilu:
      out.epilogue = epilogueFor<SiluEnd>(out.y, out.preactivation);
      break;
    default:
      out.epilogue = epilogueFor<PlainEnd>(out.y, nullptr);
  }
  runLinear(call, x, x.size / I, I, O, (const float*)w.data, I, 1, out);
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
      out.epilogue = epilogueFor<GeluGradEnd>(out.y, out.preactivation);
      break;
    case kSilu:
      out.epilogue = epilogueFor<SiluGradEnd>(out.y, out.preactivation);
      break;
    default:
      out.epilogue = third ? epilogueFor<ScaledEnd>(out.y, out.factor) : epilogueFor<PlainEnd>(out.y, nullptr);
  }
  runLinear(call, dy, dy.size / O, O, I, (const float*)w.data, 1, I, out);
}

}  // namespace RF_NS
}  // namespace rectiflow
