// Layer norm over the width and adaLN's modulation in one pass over memory, and its gradient.
//
//   y = (x - mean) rstd (1 + scale) + shift           x, y [B, N, D]; shift, scale [B, D]; mean, rstd [B, N]
//   dx = rstd (g - mean(g) - h mean(g h))             with h = (x - mean) rstd and g = dy (1 + scale)
//   dshift = sum over n of dy, dscale = sum over n of dy h
//
// A row is read from memory once and then, from the first-level cache, as often as two-pass statistics need. The gradient
// treats four rows together, so that the running sums of dshift and dscale are loaded and stored once for the four.
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

struct RowStatistics {
  float mean;    // to first order; what is left of it is in excess
  float excess;  // mean of x - mean
  float variance;
};

// Two passes, with the second correcting the first: a mean that dwarfs the deviations costs no accuracy.
static RF_INLINE RowStatistics rowStatistics(const float* x, int64_t width) {
  vf sum[4] = {};
  forVectors<4>(width, [&](int64_t j, int64_t lanes, int slot) RF_ALWAYS_INLINE { sum[slot] += loadPartial(x + j, lanes); });
  const float mean = sumSlots(sum) / (float)width;

  vf first[4] = {}, second[4] = {};
  forVectors<4>(width, [&](int64_t j, int64_t lanes, int slot) RF_ALWAYS_INLINE {
    vf d = loadPartial(x + j, lanes) - mean;
    for (int64_t i = lanes; i < kLanes; i++) d[i] = 0;
    first[slot] += d;
    second[slot] += d * d;
  });
  const float excess = sumSlots(first) / (float)width;
  const float variance = sumSlots(second) / (float)width - excess * excess;
  return {mean, excess, variance < 0 ? 0 : variance};  // rounding may leave less than 0; NaN stays
}

template <class Y>
static void layerNormModulateRow(const float* x, const float* shift, const float* scale, Y* y, float* mean, float* rstd,
                                 int64_t width, float epsilon) {
  const RowStatistics s = rowStatistics(x, width);
  const float r = 1.f / __builtin_sqrtf(s.variance + epsilon);
  *mean = s.mean + s.excess;
  *rstd = r;
  forVectors<2>(width, [&](int64_t j, int64_t lanes, int) RF_ALWAYS_INLINE {
    const vf normalized = ((loadPartial(x + j, lanes) - s.mean) - s.excess) * r;
    storePartial(y + j, normalized * (1.f + loadPartial(scale + j, lanes)) + loadPartial(shift + j, lanes), lanes);
  });
}

template <class Y>
static void layerNormModulateTyped(const Call& call) {
  const Tensor* in = call.inputs;
  const int64_t images = in[0].shape[0], rows = in[0].shape[1], width = in[0].shape[2];
  const float *x = (const float*)in[0].data, *shift = (const float*)in[1].data, *scale = (const float*)in[2].data;
  Y* y = (Y*)call.outputs[0].data;
  float *mean = (float*)call.outputs[1].data, *rstd = (float*)call.outputs[2].data;
  const float epsilon = (float)call.number("epsilon", 1e-6);
  parallelSpans(call.pool, images * rows, width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const int64_t image = row / rows;
      layerNormModulateRow(x + row * width, shift + image * width, scale + image * width, y + row * width, mean + row,
                           rstd + row, width, epsilon);
    }
  });
}

static void layerNormModulateKernel(const Call& call) {
  if (call.outputs[0].dtype == DType::BFloat16) return layerNormModulateTyped<bf16>(call);
  layerNormModulateTyped<float>(call);
}

// The operands of consecutive rows of one image.
template <class DY>
struct LayerNormGradRows {
  const float *x, *scale, *mean, *rstd;
  const DY* dy;
  float* dx;
  int64_t width;
};

template <int kRows, class DY>
static RF_INLINE void layerNormModulateGradRows(const LayerNormGradRows<DY>& rows, float* dshift, float* dscale) {
  const int64_t width = rows.width;
  vf sumG[kRows] = {}, sumGH[kRows] = {};
  forVectors<1>(width, [&](int64_t j, int64_t lanes, int) RF_ALWAYS_INLINE {
    const vf factor = 1.f + loadPartial(rows.scale + j, lanes);
    vf shiftSum = loadPartial(dshift + j, lanes), scaleSum = loadPartial(dscale + j, lanes);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      const vf dy = loadPartial(rows.dy + r * width + j, lanes);
      const vf h = (loadPartial(rows.x + r * width + j, lanes) - rows.mean[r]) * rows.rstd[r];
      shiftSum += dy;
      scaleSum += dy * h;
      const vf g = dy * factor;
      sumG[r] += g;
      sumGH[r] += g * h;
    }
    storePartial(dshift + j, shiftSum, lanes);
    storePartial(dscale + j, scaleSum, lanes);
  });

  for (int r = 0; r < kRows; r++) {
    const float meanG = sumLanes(sumG[r]) / (float)width, meanGH = sumLanes(sumGH[r]) / (float)width;
    forVectors<2>(width, [&](int64_t j, int64_t lanes, int) RF_ALWAYS_INLINE {
      const vf h = (loadPartial(rows.x + r * width + j, lanes) - rows.mean[r]) * rows.rstd[r];
      const vf g = loadPartial(rows.dy + r * width + j, lanes) * (1.f + loadPartial(rows.scale + j, lanes));
      storePartial(rows.dx + r * width + j, ((g - meanG) - h * meanGH) * rows.rstd[r], lanes);
    });
  }
}

template <class DY>
static void layerNormModulateGradTyped(const Call& call) {
  const Tensor* in = call.inputs;
  const int64_t images = in[0].shape[0], rows = in[0].shape[1], width = in[0].shape[2];
  const float *x = (const float*)in[0].data, *scale = (const float*)in[1].data;
  const float *mean = (const float*)in[2].data, *rstd = (const float*)in[3].data;
  const DY* dy = (const DY*)in[4].data;
  float* dx = (float*)call.outputs[0].data;
  float* const sums[2] = {(float*)call.outputs[1].data, (float*)call.outputs[2].data};
  sumOverRows<2>(call.pool, images, rows, width, sums, [&](int64_t image, int64_t begin, int64_t end, float* const* sum) {
    const auto from = [&](int64_t n) {
      const int64_t row = image * rows + n;
      return LayerNormGradRows<DY>{x + row * width,  scale + image * width, mean + row, rstd + row,
                                   dy + row * width, dx + row * width,      width};
    };
    int64_t n = begin;
    for (; n + 4 <= end; n += 4) layerNormModulateGradRows<4>(from(n), sum[0], sum[1]);
    for (; n < end; n++) layerNormModulateGradRows<1>(from(n), sum[0], sum[1]);
  });
}

static void layerNormModulateGradKernel(const Call& call) {
  if (call.inputs[4].dtype == DType::BFloat16) return layerNormModulateGradTyped<bf16>(call);
  layerNormModulateGradTyped<float>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
