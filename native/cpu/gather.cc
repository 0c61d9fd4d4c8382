// gather: table [V, D], index [...] -> [..., D], whole rows. scatterAdd: dy [..., D], index [...] -> [V, D], its gradient.
//
// Indices come from data at run time: one outside the table reads as zeros and adds nothing, so that no memory is touched.
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

static void gatherKernel(const Call& call) {
  const Tensor &table = call.inputs[0], &index = call.inputs[1];
  const int64_t rows = table.shape[0], width = table.shape[1];
  const float* from = (const float*)table.data;
  const int32_t* indices = (const int32_t*)index.data;
  float* to = (float*)call.outputs[0].data;
  forRanges(call.pool, index.size, max64(1, kGrain / width), [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t row = indices[i];
      if (row >= 0 && row < rows)
        memcpy(to + i * width, from + row * width, width * sizeof(float));
      else
        memset(to + i * width, 0, width * sizeof(float));
    }
  });
}

// Each item owns a range of the table's rows and adds in the order of the index, so the sums do not depend on the threads.
static void scatterAddKernel(const Call& call) {
  const Tensor &index = call.inputs[1], &table = call.outputs[0];
  const int64_t rows = table.shape[0], width = table.shape[1], count = index.size;
  const float* from = (const float*)call.inputs[0].data;
  const int32_t* indices = (const int32_t*)index.data;
  float* to = (float*)table.data;
  // Every item reads the whole index: a bounded number of them.
  const int64_t grain = max64(max64(1, kGrain / width), ceilDiv(rows, 64));
  forRanges(call.pool, rows, grain, [=](int64_t begin, int64_t end) {
    memset(to + begin * width, 0, (end - begin) * width * sizeof(float));
    for (int64_t i = 0; i < count; i++) {
      const int64_t row = indices[i];
      if (row < begin || row >= end) continue;
      const float* addend = from + i * width;
      float* total = to + row * width;
      for (int64_t j = 0; j < width; j++) total[j] += addend[j];
    }
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
