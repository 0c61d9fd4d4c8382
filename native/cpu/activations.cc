// gelu, silu and their derivatives on their own: linear fuses them wherever it can.
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

}  // namespace RF_NS
}  // namespace rectiflow
