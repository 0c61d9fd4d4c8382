// Classifier-free guidance's dropout of conditions (Ho & Salimans 2022): y = u < probability ? absent : values.
//
//   values [B, ...S] of int32 or float32, u [B], absent [...S] of the same type -> y [B, ...S]
//
// A copy, bound by memory. The comparison is in float64, the attribute's own precision.
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

template <class T>
static void dropConditions(const Call& call) {
  const T* values = (const T*)call.inputs[0].data;
  const float* u = (const float*)call.inputs[1].data;
  T* y = (T*)call.outputs[0].data;
  const double probability = call.number("probability", 0);
  const T* absent = (const T*)call.inputs[2].data;
  const int64_t size = call.inputs[2].size;
  parallelSpans(call.pool, call.inputs[1].size, size, [=](int64_t begin, int64_t end) {
    for (int64_t sample = begin; sample < end; sample++) {
      const int64_t from = sample * size;
      memcpy(y + from, u[sample] < probability ? absent : values + from, size * sizeof(T));
    }
  });
}

static void conditionDropoutKernel(const Call& call) {
  if (call.inputs[0].dtype == DType::Int32) return dropConditions<int32_t>(call);
  dropConditions<float>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
