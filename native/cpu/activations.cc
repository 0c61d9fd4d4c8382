// gelu, silu and their derivatives, and relu, on their own: products fuse them wherever they can.
#include "activation.h"
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

template <void (*f)(vf x, vf* y, vf* dydx)>
static void activationKernel(const Call& call) {
  unary(call, [](vf x) {
    vf y, derivative;
    f(x, &y, &derivative);
    return y;
  });
}
template <void (*f)(vf x, vf* y, vf* dydx)>
static void derivativeKernel(const Call& call) {
  unary(call, [](vf x) {
    vf y, derivative;
    f(x, &y, &derivative);
    return derivative;
  });
}

template <class X, class Y>
static void reluTyped(const Call& call) {
  const X* const x = (const X*)call.inputs[0].data;
  Y* const y = (Y*)call.outputs[0].data;
  forRanges(call.pool, call.outputs[0].size, kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 2 * kLanes)
      storePair(y + i, activated<kRelu, Y>(loadPair(x + i, end - i)), end - i);
  });
}
static void reluKernel(const Call& call) {
  const bool lowY = call.outputs[0].dtype == DType::BFloat16;
  if (call.inputs[0].dtype == DType::BFloat16) return lowY ? reluTyped<bf16, bf16>(call) : reluTyped<bf16, float>(call);
  lowY ? reluTyped<float, bf16>(call) : reluTyped<float, float>(call);
}

// dx = dy act'(z)
template <int activation, class DY, class Z, class DX>
static void activationGradTyped(const Call& call) {
  const DY* dy = (const DY*)call.inputs[0].data;
  const Z* z = (const Z*)call.inputs[1].data;
  DX* dx = (DX*)call.outputs[0].data;
  forRanges(call.pool, call.outputs[0].size, kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 2 * kLanes) {
      const Pair g = loadPair(dy + i, end - i), slope = activationSlope<activation, Z>(loadPair(z + i, end - i));
      storePair(dx + i, {g.low * slope.low, g.high * slope.high}, end - i);
    }
  });
}
template <int activation>
static void activationGradOf(const Call& call) {
  const bool lowDy = call.inputs[0].dtype == DType::BFloat16, lowZ = call.inputs[1].dtype == DType::BFloat16;
  const auto typed = [&](auto dx) {
    using DX = decltype(dx);
    if (lowDy) return lowZ ? activationGradTyped<activation, bf16, bf16, DX>(call) : activationGradTyped<activation, bf16, float, DX>(call);
    lowZ ? activationGradTyped<activation, float, bf16, DX>(call) : activationGradTyped<activation, float, float, DX>(call);
  };
  call.outputs[0].dtype == DType::BFloat16 ? typed(bf16{}) : typed(0.f);
}
static void activationGradKernel(const Call& call) {
  const Activation activation = activationOf(call);
  if (activation == kRelu) return activationGradOf<kRelu>(call);
  activation == kGelu ? activationGradOf<kGelu>(call) : activationGradOf<kSilu>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
