// AdamW (Loshchilov & Hutter 2019) and the moving average of the weights, in place:
//
//   g = grad gradScale;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   param = param (1 - lr decay) - lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)
//   average = average + weight (param - average), in adamwAverage
//
// param, grad, m, v, average have one shape; gradScale, learningRate lr, step t (int32, from 1), counts (int32) and weight are
// scalars. Where counts is 0 nothing is changed, whatever the others are: the step is skipped. Bound by memory: five arrays are read
// and four written, once. What depends on the step alone is worked out in float64 beforehand.
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

struct AdamWCoefficients {
  float gradScale, beta1, oneMinusBeta1, beta2, oneMinusBeta2, shrink, stepSize, inverseCorrection, epsilon;
};

static AdamWCoefficients adamwCoefficients(const Call& call) {
  const double step = *(const int32_t*)call.inputs[6].data;
  const double rate = *(const float*)call.inputs[5].data;
  const double beta1 = call.number("beta1", 0.9), beta2 = call.number("beta2", 0.999);
  AdamWCoefficients c;
  c.gradScale = *(const float*)call.inputs[4].data;
  c.beta1 = (float)beta1;
  c.oneMinusBeta1 = (float)(1 - beta1);
  c.beta2 = (float)beta2;
  c.oneMinusBeta2 = (float)(1 - beta2);
  c.shrink = (float)(1 - rate * call.number("weightDecay", 0));
  c.stepSize = (float)(rate / (1 - __builtin_pow(beta1, step)));
  c.inverseCorrection = (float)(1 / __builtin_sqrt(1 - __builtin_pow(beta2, step)));
  c.epsilon = (float)call.number("epsilon", 1e-8);
  return c;
}

template <bool kHasAverage>
static void adamwKernel(const Call& call) {
  const Tensor* in = call.inputs;
  const int32_t counts = *(const int32_t*)in[7].data;
  if (!counts) return;
  const AdamWCoefficients c = adamwCoefficients(call);
  float *param = (float*)in[0].data, *m = (float*)in[2].data, *v = (float*)in[3].data;
  float* average = kHasAverage ? (float*)in[8].data : nullptr;
  const float weight = kHasAverage ? *(const float*)in[9].data : 0;
  const float* grad = (const float*)in[1].data;
  constexpr int64_t kArrays = kHasAverage ? 5 : 4;
  parallelSpans(call.pool, in[0].size, kArrays, [&](int64_t begin, int64_t end) {
    forVectors<2>(end - begin, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
      const int64_t i = begin + j;
      const vf g = loadPartial(grad + i, lanes) * c.gradScale;
      const vf newM = loadPartial(m + i, lanes) * c.beta1 + g * c.oneMinusBeta1;
      const vf newV = loadPartial(v + i, lanes) * c.beta2 + g * g * c.oneMinusBeta2;
      const vf direction = newM / (vsqrt(newV) * c.inverseCorrection + c.epsilon);
      const vf newParam = loadPartial(param + i, lanes) * c.shrink - direction * c.stepSize;
      storePartial(m + i, newM, lanes);
      storePartial(v + i, newV, lanes);
      storePartial(param + i, newParam, lanes);
      if constexpr (kHasAverage) {
        const vf old = loadPartial(average + i, lanes);
        storePartial(average + i, old + (newParam - old) * weight, lanes);
      }
    });
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
