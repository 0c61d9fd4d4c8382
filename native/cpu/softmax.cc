// softmax over the last axis, the maximum taken out first: x [..., N] -> y [..., N]. One row at a time, which stays in cache
// between the three passes over it.
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

static inline float rowMaximum(const float* x, int64_t count) {
  float maximum = x[0];
  int64_t i = 0;
  if (count >= kLanes) {
    vf maxima = load(x);
    for (; i + kLanes <= count; i += kLanes) maxima = vmax(load(x + i), maxima);
    maximum = maxLanes(maxima);
  }
  for (; i < count; i++) maximum = x[i] > maximum ? x[i] : maximum;
  return maximum;
}

static inline void softmaxRow(const float* x, float* y, int64_t count) {
  const float maximum = rowMaximum(x, count);
  vf sums = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const vf power = vexp(load(x + i) - maximum);
    store(y + i, power);
    sums += power;
  }
  float total = sumLanes(sums);
  if (i < count) {
    float powers[kLanes];
    store(powers, vexp(loadPartial(x + i, count - i) - maximum));
    for (int64_t j = 0; i + j < count; j++) {
      y[i + j] = powers[j];
      total += powers[j];
    }
  }
  const float scale = 1.f / total;
  for (i = 0; i < count; i++) y[i] *= scale;
}

static void softmaxKernel(const Call& call) {
  const Tensor& tensor = call.inputs[0];
  const int64_t width = tensor.rank ? tensor.shape[tensor.rank - 1] : 1;
  const float* x = (const float*)tensor.data;
  float* y = (float*)call.outputs[0].data;
  forRanges(call.pool, tensor.size / width, max64(1, kGrain / 4 / width), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) softmaxRow(x + row * width, y + row * width, width);
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
