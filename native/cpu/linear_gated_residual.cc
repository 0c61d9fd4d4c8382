// The end of a residual branch in one product: branch = h w^T + b, y = x + gate branch.
// h [B, N, I], w [O, I], b [O], x [B, N, O], gate [B, O] -> y [B, N, O] float32, branch [B, N, O]
//
// branch is kept for the gradient of the gate, where there is to be one; y is made from the same sums before they are rounded (linear.h).
#include "linear.h"

namespace rectiflow {
namespace RF_NS {

template <class Branch>
static void writeGatedResidual(const LinearOutput& out, const Tile& tile) {
  const int64_t N = out.residual->shape[1], O = out.columns(), end = tile.row + tile.rows;
  const float* const x = (const float*)out.residual->data;
  float* const y = (float*)out.y->data;
  Branch* const branch = out.branch ? (Branch*)out.branch->data : nullptr;
  Tile part = tile;
  for (; part.row < end; part.data += part.rows * part.ld, part.row += part.rows) {
    const int64_t image = part.row / N;
    const float* const gate = (const float*)out.gate->data + image * O;
    part.rows = min64(end, (image + 1) * N) - part.row;
    forTile(out.bias, part, O, [=](int64_t at, int64_t col, int64_t lanes, Pair sum) RF_ALWAYS_INLINE {
      const Pair before = loadPair(x + at, lanes), g = loadPair(gate + col, lanes);
      storePair(y + at, {before.low + g.low * sum.low, before.high + g.high * sum.high}, lanes);
      if (branch) storePair(branch + at, sum, lanes);
    });
  }
}

static void linearGatedResidualKernel(const Call& call) {
  const Tensor &h = call.inputs[0], &w = call.inputs[1];
  const int64_t O = w.shape[0], I = w.shape[1];
  LinearOutput out;
  out.bias = (const float*)call.inputs[2].data;
  out.residual = &call.inputs[3];
  out.gate = &call.inputs[4];
  out.y = &call.outputs[0];
  out.branch = call.outputs[1].data ? &call.outputs[1] : nullptr;
  out.write = call.outputs[1].dtype == DType::BFloat16 ? writeGatedResidual<bf16> : writeGatedResidual<float>;
  runLinear(call.pool, h, h.size / I, I, O, (const float*)w.data, I, 1, out);
}

}  // namespace RF_NS
}  // namespace rectiflow
