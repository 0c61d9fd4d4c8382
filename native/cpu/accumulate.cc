// total = restart ? value : total + value, in place; restart is a scalar. Bound by memory: two arrays are read, one is written.
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

static void accumulateKernel(const Call& call) {
  float* total = (float*)call.inputs[0].data;
  const float* value = (const float*)call.inputs[1].data;
  const bool restart = *(const float*)call.inputs[2].data != 0;
  constexpr int64_t kArrays = 2;
  parallelSpans(call.pool, call.inputs[0].size, kArrays, [&](int64_t begin, int64_t end) {
    if (restart) {
      memcpy(total + begin, value + begin, (end - begin) * sizeof(float));
      return;
    }
    forVectors<2>(end - begin, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
      const int64_t i = begin + j;
      storePartial(total + i, loadPartial(total + i, lanes) + loadPartial(value + i, lanes), lanes);
    });
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
