// max over any axes. NaN anywhere gives NaN.
#include "reduction.h"

namespace rectiflow {
namespace RF_NS {

struct MaxReducer {
  static constexpr int kWidth = kLanes;
  using Scalar = float;
  using Vector = vf;

  static RF_INLINE Scalar identity() { return -__builtin_inff(); }
  static RF_INLINE Vector load(const float* x) { return RF_NS::load(x); }
  static RF_INLINE Scalar combine(Scalar a, Scalar b) { return a > b || a != a ? a : b; }
  static RF_INLINE Vector combine(Vector a, Vector b) { return select((vi)(a > b) | (vi)(a != a), a, b); }
};

static void maxKernel(const Call& call) { reduce<MaxReducer>(call); }

}  // namespace RF_NS
}  // namespace rectiflow
