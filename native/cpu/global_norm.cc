// y [] = the Euclidean norm of all inputs together, accumulated in float64.
//
// Bound by memory: one pass. The inputs are one long list of elements (spans.h), cut into chunks regardless of where one tensor
// ends. The chunks' sums are added in order.
#include "float64.h"
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

static double sumOfSquares(const float* x, int64_t count) {
  vd sum[4] = {};
  int64_t i = 0;
  for (; i + 4 * kDoubles <= count; i += 4 * kDoubles) {
#pragma GCC unroll 4
    for (int slot = 0; slot < 4; slot++) {
      const vd v = loadDoubles(x + i + slot * kDoubles);
      sum[slot] += v * v;
    }
  }
  double total = 0;
  for (; i < count; i++) total += (double)x[i] * x[i];
  const vd lanes = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  for (int lane = 0; lane < kDoubles; lane++) total += lanes[lane];
  return total;
}

static void globalNormKernel(const Call& call) {
  const int64_t count = sizeOfInputs(call);
  const int64_t chunks = ceilDiv(count, kSpanElements);
  if (!call.reserve(chunks * sizeof(double), 0)) return;
  double* const partial = (double*)call.shared();
  parallel(call.pool, chunks, [&](int64_t chunk, int) {
    double total = 0;
    forInputs(call, chunk * kSpanElements, min64(count, (chunk + 1) * kSpanElements), [&](const Tensor& x, int64_t from, int64_t to) {
      total += sumOfSquares((const float*)x.data + from, to - from);
    });
    partial[chunk] = total;
  });
  double total = 0;
  for (int64_t chunk = 0; chunk < chunks; chunk++) total += partial[chunk];
  *(float*)call.outputs[0].data = (float)__builtin_sqrt(total);
}

}  // namespace RF_NS
}  // namespace rectiflow
