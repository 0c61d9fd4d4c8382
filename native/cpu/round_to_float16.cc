// roundToFloat16: the nearest IEEE 754 binary16 of each number, ties to even, kept in float32. Bound by memory.
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

// A float32 of exponent e + 13 has steps of 2^(e - 10), those of a half of exponent e: adding 2^(e + 13) rounds. Below 2^-14
// halves are subnormal, with steps of 2^-24. From 65520 on they are infinite.
static RF_INLINE vf nearestFloat16(vf x) {
  const vu sign = (vu)x & 0x80000000u;
  const vf magnitude = (vf)((vu)x & 0x7fffffffu), power = (vf)((vu)x & 0x7f800000u);
  const vf coarse = vmax(power, splat(0x1p-14f)) * 8192.f;
  const vf rounded = (magnitude + coarse) - coarse;
  const vf bounded = select((vi)(magnitude >= 65520.f), splat(INFINITY), rounded);
  return select((vi)(x != x), x, (vf)((vu)bounded | sign));
}

static void roundToFloat16Kernel(const Call& call) {
  unary(call, [](vf x) { return nearestFloat16(x); });
}

}  // namespace RF_NS
}  // namespace rectiflow
