// target = target + weight (value - target), in place: a moving average takes up a value. target and value have one shape, weight and
// counts (int32) are scalars. Where counts is 0 nothing is changed, whatever value is. Bound by memory: two arrays are read, one written.
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

static void lerpAssignKernel(const Call& call) {
  float* target = (float*)call.inputs[0].data;
  const float* value = (const float*)call.inputs[1].data;
  const float weight = *(const float*)call.inputs[2].data;
  const int32_t counts = *(const int32_t*)call.inputs[3].data;
  if (!counts) return;
  constexpr int64_t kArrays = 2;
  parallelSpans(call.pool, call.inputs[0].size, kArrays, [&](int64_t begin, int64_t end) {
    forVectors<4>(end - begin, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
      const int64_t i = begin + j;
      const vf old = loadPartial(target + i, lanes);
      storePartial(target + i, old + (loadPartial(value + i, lanes) - old) * weight, lanes);
    });
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
