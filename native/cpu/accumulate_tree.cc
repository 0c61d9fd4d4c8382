// x = value; x = sum + x for each sum that is taken, in order; each sum that is made = x. Bound by memory: one pass, whatever is taken.
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

static void accumulateTreeKernel(const Call& call) {
  constexpr int32_t kFirstSum = 3;
  const float* value = (const float*)call.inputs[0].data;
  const float* taken = (const float*)call.inputs[1].data;
  const float* made = (const float*)call.inputs[2].data;
  const Tensor* const sums = call.inputs + kFirstSum;
  const int32_t count = call.inputCount - kFirstSum;
  parallelSpans(call.pool, call.inputs[0].size, 1 + count, [&](int64_t begin, int64_t end) {
    forVectors<1>(end - begin, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
      const int64_t i = begin + j;
      vf x = loadPartial(value + i, lanes);
      for (int32_t k = 0; k < count; k++)
        if (taken[k] != 0) x = loadPartial((const float*)sums[k].data + i, lanes) + x;
      for (int32_t k = 0; k < count; k++)
        if (made[k] != 0) storePartial((float*)sums[k].data + i, x, lanes);
    });
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
