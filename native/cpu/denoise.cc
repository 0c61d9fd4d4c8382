// A step of a sampler from more noise to less, by the noise that is predicted to be in x:
//
//   foreseen = (x - noise prediction) / data, within [-clip, clip] unless clip is 0
//   y        = nextData foreseen + nextNoise (x - data foreseen) / noise
//
// In float64 with every product and sum rounded, then to float32, as src/ops/denoise.ts does it to the bit. x, prediction and y have
// one shape; coefficients [4, 3] are data, noise, nextData and nextNoise, each the sum of three floats. Bound by memory.
#include "float64.h"
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

static void denoiseKernel(const Call& call) {
  const float *x = (const float*)call.inputs[0].data, *prediction = (const float*)call.inputs[2].data;
  const float* coefficients = (const float*)call.inputs[1].data;
  float* y = (float*)call.outputs[0].data;
  const double data = fromParts(coefficients), noise = fromParts(coefficients + 3);
  const double nextData = fromParts(coefficients + 6), nextNoise = fromParts(coefficients + 9);
  const double clip = call.number("clip", 0);
  const vd limit = splatDouble(clip == 0 ? __builtin_inf() : clip);
  constexpr int64_t kArrays = 3;
  parallelSpans(call.pool, call.outputs[0].size, kArrays, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kDoubles) {
      const int64_t lanes = min64(kDoubles, end - i);
      const vd from = loadDoubles(x + i, lanes);
      vd foreseen = (from - rounded(loadDoubles(prediction + i, lanes) * noise)) / data;
      // NaN is neither above nor below, and stays.
      foreseen = foreseen > limit ? limit : foreseen;
      foreseen = foreseen < -limit ? -limit : foreseen;
      storeDoubles(y + i, rounded(foreseen * nextData) + (from - rounded(foreseen * data)) * nextNoise / noise, lanes);
    }
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
