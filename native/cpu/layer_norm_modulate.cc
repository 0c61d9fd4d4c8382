// Layer norm over the width and adaLN's modulation in one pass over memory, and its gradient.
//
//   y = h (1 + scale) + shift                         with h = (x - mean) rstd; x, h, y [B, N, D]; shift, scale [B, D]; rstd [B, N]
//   dx = rstd (g - mean(g) - h mean(g h)) + other     with g = dy (1 + scale)
//   dshift = sum over n of dy, dscale = sum over n of dy h
//
// A row is read from memory once and then, from the first-level cache, as often as two-pass statistics need. Four rows of an
// image are treated together: their sums hide each other's latency, and the modulation and the running sums of dshift and
// dscale are loaded and stored once for the four. While one pass goes over them in the cache, what the next pass, or the first one
// over the next four rows, will read is fetched. h is kept for the gradient, so that x, in float32, need not be. Where y is bf16, h
// is rounded first: y can then be made of the h that is kept, to the bit (linear_grad.cc).
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

// Consecutive rows of one image.
template <class Y, class H>
struct LayerNormRows {
  const float *x, *shift, *scale;
  Y* y;
  H* normalized;  // nullptr where it is not wanted
  float* rstd;
  int64_t width;
  float epsilon;
};

// Two passes, with the second correcting the first: a mean that dwarfs the deviations costs no accuracy.
template <int kRows, class Y, class H>
static RF_INLINE void layerNormModulateRows(const LayerNormRows<Y, H>& rows) {
  const int64_t width = rows.width;
  const float perWidth = 1.f / (float)width;
  vf sum[kRows] = {};
  forVectors<1>(width, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
    for (int r = 0; r < kRows; r++) sum[r] += loadPartial(rows.x + r * width + j, lanes);
  });
  float mean[kRows];
  for (int r = 0; r < kRows; r++) mean[r] = sumLanes(sum[r]) * perWidth;

  vf first[kRows] = {}, second[kRows] = {};
  forVectors<1>(width, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
    for (int r = 0; r < kRows; r++) {
      fetchAhead(rows.x + (kRows + r) * width, j);
      vf d = loadPartial(rows.x + r * width + j, lanes) - mean[r];
      for (int64_t i = lanes; i < kLanes; i++) d[i] = 0;
      first[r] += d;
      second[r] += d * d;
    }
  });
  float excess[kRows], rstd[kRows];
  for (int r = 0; r < kRows; r++) {
    excess[r] = sumLanes(first[r]) * perWidth;
    const float variance = sumLanes(second[r]) * perWidth - excess[r] * excess[r];
    rstd[r] = 1.f / __builtin_sqrtf((variance < 0 ? 0 : variance) + rows.epsilon);  // below 0 by rounding; NaN stays
    rows.rstd[r] = rstd[r];
  }

  forVectors<1>(width, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
    const vf scale = loadPartial(rows.scale + j, lanes), shift = loadPartial(rows.shift + j, lanes);
    for (int r = 0; r < kRows; r++) {
      const vf exact = ((loadPartial(rows.x + r * width + j, lanes) - mean[r]) - excess[r]) * rstd[r];
      const vf normalized = roundedTo<Y>(exact);
      storePartial(rows.y + r * width + j, modulated(normalized, shift, scale), lanes);
      if (rows.normalized) storePartial(rows.normalized + r * width + j, normalized, lanes);
    }
  });
}

template <class Y, class H>
static void layerNormModulateTyped(const Call& call) {
  const Tensor* in = call.inputs;
  const int64_t images = in[0].shape[0], rows = in[0].shape[1], width = in[0].shape[2];
  const float *x = (const float*)in[0].data, *shift = (const float*)in[1].data, *scale = (const float*)in[2].data;
  Y* y = (Y*)call.outputs[0].data;
  H* normalized = (H*)call.outputs[1].data;
  float* rstd = (float*)call.outputs[2].data;
  const float epsilon = (float)call.number("epsilon", 1e-6);
  parallelSpans(call.pool, images * rows, width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end;) {
      const int64_t image = row / rows, left = min64(end, (image + 1) * rows) - row, at = row * width;
      const LayerNormRows<Y, H> from = {x + at, shift + image * width, scale + image * width,
                                        y + at, normalized ? normalized + at : nullptr,
                                        rstd + row, width, epsilon};
      if (left >= 4) {
        layerNormModulateRows<4>(from);
        row += 4;
      } else {
        layerNormModulateRows<1>(from);
        row++;
      }
    }
  });
}

static void layerNormModulateKernel(const Call& call) {
  const bool lowNormalized = call.outputs[1].dtype == DType::BFloat16;
  if (call.outputs[0].dtype == DType::BFloat16)
    return lowNormalized ? layerNormModulateTyped<bf16, bf16>(call) : layerNormModulateTyped<bf16, float>(call);
  return lowNormalized ? layerNormModulateTyped<float, bf16>(call) : layerNormModulateTyped<float, float>(call);
}

// The operands of consecutive rows of one image.
template <class H, class DY>
struct LayerNormGradRows {
  const H* normalized;
  const float *scale, *rstd;
  const DY* dy;
  const float* other;  // none
  float* dx;
  int64_t width;
};

template <int kRows, class H, class DY>
static RF_INLINE void layerNormModulateGradRows(const LayerNormGradRows<H, DY>& rows, float* dshift, float* dscale) {
  const int64_t width = rows.width;
  vf sumG[kRows] = {}, sumGH[kRows] = {};
  forVectors<1>(width, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
    const vf factor = 1.f + loadPartial(rows.scale + j, lanes);
    vf shiftSum = loadPartial(dshift + j, lanes), scaleSum = loadPartial(dscale + j, lanes);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      if (rows.other) fetchAhead(rows.other + r * width, j);
      const vf dy = loadPartial(rows.dy + r * width + j, lanes);
      const vf h = loadPartial(rows.normalized + r * width + j, lanes);
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
    forVectors<2>(width, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
      fetchAhead(rows.normalized + (kRows + r) * width, j);
      fetchAhead(rows.dy + (kRows + r) * width, j);
      const vf h = loadPartial(rows.normalized + r * width + j, lanes);
      const vf g = loadPartial(rows.dy + r * width + j, lanes) * (1.f + loadPartial(rows.scale + j, lanes));
      const vf other = rows.other ? loadPartial(rows.other + r * width + j, lanes) : (vf){};
      storePartial(rows.dx + r * width + j, ((g - meanG) - h * meanGH) * rows.rstd[r] + other, lanes);
    });
  }
}

template <class H, class DY>
static void layerNormModulateGradTyped(const Call& call) {
  const Tensor* in = call.inputs;
  const int64_t images = in[0].shape[0], rows = in[0].shape[1], width = in[0].shape[2];
  const H* normalized = (const H*)in[0].data;
  const float *scale = (const float*)in[1].data, *rstd = (const float*)in[2].data;
  const DY* dy = (const DY*)in[3].data;
  const float* other = call.inputCount > 4 ? (const float*)in[4].data : nullptr;
  float* dx = (float*)call.outputs[0].data;
  float* const sums[2] = {(float*)call.outputs[1].data, (float*)call.outputs[2].data};
  sumOverRows<2>(call, images, rows, width, sums, [&](int64_t image, int64_t begin, int64_t end, float* const* sum) {
    const auto from = [&](int64_t n) {
      const int64_t row = image * rows + n, at = row * width;
      return LayerNormGradRows<H, DY>{normalized + at, scale + image * width, rstd + row, dy + at,
                                      other ? other + at : nullptr, dx + at, width};
    };
    int64_t n = begin;
    for (; n + 4 <= end; n += 4) layerNormModulateGradRows<4>(from(n), sum[0], sum[1]);
    for (; n < end; n++) layerNormModulateGradRows<1>(from(n), sum[0], sum[1]);
  });
}

static void layerNormModulateGradKernel(const Call& call) {
  const bool lowNormalized = call.inputs[0].dtype == DType::BFloat16;
  if (call.inputs[3].dtype == DType::BFloat16)
    return lowNormalized ? layerNormModulateGradTyped<bf16, bf16>(call) : layerNormModulateGradTyped<float, bf16>(call);
  return lowNormalized ? layerNormModulateGradTyped<bf16, float>(call) : layerNormModulateGradTyped<float, float>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
