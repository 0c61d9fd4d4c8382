// y int32 [] = 1 where every number of all inputs, float32 or bfloat16, is finite, else 0.
//
// By the bits, an exponent of ones being infinity or NaN: no compiler's assumptions about numbers can fold it. Bound by memory: one
// pass, cut into chunks as for globalNorm. Threads only ever write one value, so their order does not matter.
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

template <class Word>
static inline bool allFinite(const void* data, int64_t begin, int64_t end, Word exponent) {
  bool isBad = false;
  for (int64_t i = begin; i < end; i++) {
    Word word;
    memcpy(&word, (const Word*)data + i, sizeof word);
    isBad |= (word & exponent) == exponent;
  }
  return !isBad;
}

static void isFiniteKernel(const Call& call) {
  int32_t* y = (int32_t*)call.outputs[0].data;
  *y = 1;
  forRanges(call.pool, sizeOfInputs(call), kSpanElements, [&](int64_t begin, int64_t end) {
    forInputs(call, begin, end, [&](const Tensor& x, int64_t from, int64_t to) {
      const bool isGood = x.dtype == DType::BFloat16 ? allFinite<uint16_t>(x.data, from, to, 0x7f80)
                                                     : allFinite<uint32_t>(x.data, from, to, 0x7f800000);
      if (!isGood) __atomic_store_n(y, 0, __ATOMIC_RELAXED);
    });
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
