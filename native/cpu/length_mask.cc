// Which elements of a padded sequence exist: lengths [...] of int32 -> y [..., size], 1 at the first `length` places, else 0.
//
// A few thousand numbers a step: nothing to make fast.
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

static void lengthMaskKernel(const Call& call) {
  const Tensor& lengths = call.inputs[0];
  const int64_t size = (int64_t)call.number("size", 1);
  float* y = (float*)call.outputs[0].data;
  parallelSpans(call.pool, lengths.size, size, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t length = ((const int32_t*)lengths.data)[i];
      for (int64_t j = 0; j < size; j++) y[i * size + j] = j < length ? 1.f : 0.f;
    }
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
