// target = value, in place; both of one shape and dtype. A copy, shared among the threads.
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

static void assignKernel(const Call& call) {
  const Tensor &target = call.inputs[0], &value = call.inputs[1];
  const int64_t bytes = target.size * (target.dtype == DType::BFloat16 ? 2 : 4);
  forRanges(call.pool, bytes, 8 * kGrain, [&](int64_t begin, int64_t end) {
    memcpy((char*)target.data + begin, (const char*)value.data + begin, end - begin);
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
