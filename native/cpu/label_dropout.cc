// Classifier-free guidance's label dropout (Ho & Salimans 2022): y = u < probability ? nullLabel : label; all [B].
//
// One number per image: nothing to make fast. The comparison is in float64, the attribute's own precision.
#include "simd.h"

namespace rectiflow {
namespace RF_NS {

static void labelDropoutKernel(const Call& call) {
  const int32_t* labels = (const int32_t*)call.inputs[0].data;
  const float* u = (const float*)call.inputs[1].data;
  int32_t* y = (int32_t*)call.outputs[0].data;
  const double probability = call.number("probability", 0);
  const int32_t nullLabel = (int32_t)call.number("nullLabel", 0);
  for (int64_t i = 0; i < call.outputs[0].size; i++) y[i] = u[i] < probability ? nullLabel : labels[i];
}

}  // namespace RF_NS
}  // namespace rectiflow
