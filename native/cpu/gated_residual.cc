// The residual connection of an adaLN-Zero block, and its gradient.
//
//   y = x + gate branch                      x, y, branch [B, N, D]; gate [B, D]
//   dbranch = gate dy, dgate = sum over n of dy branch
//
// Bound by memory: each tensor is read or written once. The gradient treats four rows together, so that the gate and the
// running sums of dgate are loaded once for the four, and fetches the next four meanwhile.
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

template <class Branch>
static void gatedResidualTyped(const Call& call) {
  const Tensor* in = call.inputs;
  const int64_t images = in[0].shape[0], rows = in[0].shape[1], width = in[0].shape[2];
  const float *x = (const float*)in[0].data, *gate = (const float*)in[2].data;
  const Branch* branch = (const Branch*)in[1].data;
  float* y = (float*)call.outputs[0].data;
  parallelSpans(call.pool, images * rows, width, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* g = gate + row / rows * width;
      const int64_t at = row * width;
      forVectors<2>(width, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
        const vf product = loadPartial(g + j, lanes) * loadPartial(branch + at + j, lanes);
        storePartial(y + at + j, loadPartial(x + at + j, lanes) + product, lanes);
      });
    }
  });
}

static void gatedResidualKernel(const Call& call) {
  if (call.inputs[1].dtype == DType::BFloat16) return gatedResidualTyped<bf16>(call);
  gatedResidualTyped<float>(call);
}

template <int kRows, class Branch, class DBranch>
static RF_INLINE void gatedResidualGradRows(const float* dy, const Branch* branch, const float* gate, DBranch* dbranch,
                                            float* dgate, int64_t width) {
  forVectors<1>(width, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
    const vf g = loadPartial(gate + j, lanes);
    vf sum = loadPartial(dgate + j, lanes);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      fetchAhead(dy + (kRows + r) * width, j);
      fetchAhead(branch + (kRows + r) * width, j);
      const vf d = loadPartial(dy + r * width + j, lanes);
      sum += d * loadPartial(branch + r * width + j, lanes);
      storePartial(dbranch + r * width + j, d * g, lanes);
    }
    storePartial(dgate + j, sum, lanes);
  });
}

template <class Branch, class DBranch>
static void gatedResidualGradTyped(const Call& call) {
  const Tensor* in = call.inputs;
  const int64_t images = in[0].shape[0], rows = in[0].shape[1], width = in[0].shape[2];
  const float *dy = (const float*)in[0].data, *gate = (const float*)in[2].data;
  const Branch* branch = (const Branch*)in[1].data;
  DBranch* dbranch = (DBranch*)call.outputs[0].data;
  float* const sums[1] = {(float*)call.outputs[1].data};
  sumOverRows<1>(call, images, rows, width, sums, [&](int64_t image, int64_t begin, int64_t end, float* const* sum) {
    const float* g = gate + image * width;
    const int64_t first = image * rows * width;
    int64_t n = begin;
    for (; n + 4 <= end; n += 4) {
      const int64_t at = first + n * width;
      gatedResidualGradRows<4>(dy + at, branch + at, g, dbranch + at, sum[0], width);
    }
    for (; n < end; n++) {
      const int64_t at = first + n * width;
      gatedResidualGradRows<1>(dy + at, branch + at, g, dbranch + at, sum[0], width);
    }
  });
}

static void gatedResidualGradKernel(const Call& call) {
  const bool lowInput = call.inputs[1].dtype == DType::BFloat16, lowOutput = call.outputs[0].dtype == DType::BFloat16;
  if (lowInput) return lowOutput ? gatedResidualGradTyped<bf16, bf16>(call) : gatedResidualGradTyped<bf16, float>(call);
  return lowOutput ? gatedResidualGradTyped<float, bf16>(call) : gatedResidualGradTyped<float, float>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
