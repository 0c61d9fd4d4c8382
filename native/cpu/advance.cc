// y = x - scale (w1 v1 + w2 v2 + ...) + deviation z: a step of a sampler, in float64 with every product and sum rounded, then to
// float32, as src/ops/advance.ts does it to the bit.
//
// x, the slopes v and the noise z have one shape; coefficients [N, 3] are scale, the weights and the deviation, each the sum of three
// floats. Bound by memory: every array is read once.
#include "float64.h"
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

static void advanceKernel(const Call& call) {
  constexpr int kMostSlopes = 8;
  const Tensor &x = call.inputs[0], &y = call.outputs[0];
  const Tensor* slopes = call.inputs + 2;
  const bool isNoisy = call.number("noise", 0) != 0;
  const int count = call.inputCount - 2 - isNoisy;
  const float* coefficients = (const float*)call.inputs[1].data;
  const double scale = fromParts(coefficients);
  double weights[kMostSlopes + 1];
  for (int k = 0; k < count + isNoisy; k++) weights[k] = fromParts(coefficients + 3 * (k + 1));
  const auto weighted = [&](int k, int64_t i, int64_t lanes) RF_ALWAYS_INLINE {
    return rounded(loadDoubles((const float*)slopes[k].data + i, lanes) * weights[k]);
  };
  parallelSpans(call.pool, y.size, count + 2 + isNoisy, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kDoubles) {
      const int64_t lanes = min64(kDoubles, end - i);
      vd slope = weighted(0, i, lanes);
      for (int k = 1; k < count; k++) slope += weighted(k, i, lanes);
      vd to = loadDoubles((const float*)x.data + i, lanes) - rounded(slope * scale);
      if (isNoisy) to += weighted(count, i, lanes);
      storeDoubles((float*)y.data + i, to, lanes);
    }
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
