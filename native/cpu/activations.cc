// gelu, silu and their derivatives on their own: linear fuses them wherever it can.
#include "activation.h"
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

static void geluKernel(const Call& call) {
  unary(call, [](vf x) { return gelu(x); });
}
static void siluKernel(const Call& call) {
  unary(call, [](vf x) { return silu(x); });
}
static void geluDerivativeKernel(const Call& call) {
  unary(call, [](vf x) {
    vf y, derivative;
    geluWithDerivative(x, &y, &derivative);
    return derivative;
  });
}
static void siluDerivativeKernel(const Call& call) {
  unary(call, [](vf x) {
    vf y, derivative;
    siluWithDerivative(x, &y, &derivative);
    return derivative;
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
