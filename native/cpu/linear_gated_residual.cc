// The end of a residual branch in one product: branch = h w^T + b, y = x + gate branch.
// h [B, N, I], w [O, I], b [O], x [B, N, O], gate [B, O] -> y [B, N, O] float32, branch [B, N, O]
//
// branch is kept for the gradient of the gate, where there is to be one; y is made from the same sums before they are rounded (linear.h).
#include "linear.h"

namespace rectiflow {
namespace RF_NS {

template <class Branch>
struct GatedResidualEnd {
  const float *const x, *const gate;
  float* const y;
  Branch* const branch;
  const int64_t columns;
  const uint32_t rowsPerImage;  // 32 bits, which hold any number of rows, are divided faster

  explicit GatedResidualEnd(const LinearOutput& out)
      : x((const float*)out.residual->data), gate((const float*)out.gate->data), y((float*)out.y->data),
        branch(out.branch ? (Branch*)out.branch->data : nullptr), columns(out.columns()),
        rowsPerImage((uint32_t)out.residual->shape[1]) {}

  RF_INLINE void fetch(int64_t at) const { fetchPair(x + at); }
  RF_INLINE void operator()(int64_t row, int64_t at, int64_t col, int64_t lanes, Pair sum) const {
    const Pair before = loadPair(x + at, lanes), g = loadPair(gate + (uint32_t)row / rowsPerImage * columns + col, lanes);
    storePair(y + at, {before.low + g.low * sum.low, before.high + g.high * sum.high}, lanes);
    if (branch) storePair(branch + at, sum, lanes);
  }
};

static void linearGatedResidualKernel(const Call& call) {
  const Tensor &h = call.inputs[0], &w = call.inputs[1];
  const int64_t O = w.shape[0], I = w.shape[1];
  LinearOutput out;
  out.bias = (const float*)call.inputs[2].data;
  out.residual = &call.inputs[3];
  out.gate = &call.inputs[4];
  out.y = &call.outputs[0];
  out.branch = call.outputs[1].data ? &call.outputs[1] : nullptr;
  out.epilogue = call.outputs[1].dtype == DType::BFloat16 ? epilogueOf<GatedResidualEnd<bf16>, bf16>()
                                                          : epilogueOf<GatedResidualEnd<float>, float>();
  runLinear(call, h, h.size / I, I, O, (const float*)w.data, I, 1, out);
}

}  // namespace RF_NS
}  // namespace rectiflow
