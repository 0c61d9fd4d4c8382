// Images made larger by repeating each pixel, and the gradient, which sums the repeats: x [B, C, H, W], y [B, C, H factor, W factor].
// An item is some rows of x, each of which is stretched once and copied below.
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

template <class X, class Y>
static void stretchRow(const X* from, int64_t count, int64_t factor, Y* to) {
  if (factor == 2) {
    for (int64_t i = 0; i < count; i++) {
      Y pixel;
      fromFloat(toFloat(from[i]), &pixel);
      to[2 * i] = to[2 * i + 1] = pixel;
    }
    return;
  }
  for (int64_t i = 0; i < count; i++)
    for (int64_t q = 0; q < factor; q++) fromFloat(toFloat(from[i]), to++);
}

template <class X, class Y>
static void upsample(const Call& call) {
  const Tensor& x = call.inputs[0];
  const int64_t width = x.shape[3], rows = x.size / width, factor = (int64_t)call.number("factor", 2), wide = width * factor;
  const X* const from = (const X*)x.data;
  Y* const to = (Y*)call.outputs[0].data;
  forRanges(call.pool, rows, max64(1, kGrain / (wide * factor)), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      Y* const first = to + row * factor * wide;
      stretchRow(from + row * width, width, factor, first);
      for (int64_t q = 1; q < factor; q++) memcpy(first + q * wide, first, wide * sizeof(Y));
    }
  });
}
static void upsampleNearestKernel(const Call& call) {
  const bool lowX = call.inputs[0].dtype == DType::BFloat16;
  if (call.outputs[0].dtype == DType::BFloat16) return lowX ? upsample<bf16, bf16>(call) : upsample<float, bf16>(call);
  lowX ? upsample<bf16, float>(call) : upsample<float, float>(call);
}

template <class DY, class DX>
static void sumRepeats(const Call& call) {
  const Tensor& dx = call.outputs[0];
  const int64_t width = dx.shape[3], rows = dx.size / width, factor = (int64_t)call.number("factor", 2), wide = width * factor;
  const DY* const from = (const DY*)call.inputs[0].data;
  DX* const to = (DX*)dx.data;
  forRanges(call.pool, rows, max64(1, kGrain / (wide * factor)), [=](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const DY* const first = from + row * factor * wide;
      DX* const out = to + row * width;
      if (factor == 2) {
        const DY* const second = first + wide;
        for (int64_t i = 0; i < width; i++)
          fromFloat((toFloat(first[2 * i]) + toFloat(first[2 * i + 1])) + (toFloat(second[2 * i]) + toFloat(second[2 * i + 1])), out + i);
        continue;
      }
      for (int64_t i = 0; i < width; i++) {
        float total = 0;
        for (int64_t p = 0; p < factor; p++)
          for (int64_t q = 0; q < factor; q++) total += toFloat(first[p * wide + i * factor + q]);
        fromFloat(total, out + i);
      }
    }
  });
}
static void upsampleNearestGradKernel(const Call& call) {
  const bool lowDy = call.inputs[0].dtype == DType::BFloat16;
  if (call.outputs[0].dtype == DType::BFloat16) return lowDy ? sumRepeats<bf16, bf16>(call) : sumRepeats<float, bf16>(call);
  lowDy ? sumRepeats<bf16, float>(call) : sumRepeats<float, float>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
