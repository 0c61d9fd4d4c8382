// cast: float32, bfloat16 and int32 to each other. To bfloat16 rounds to nearest even; to int32 truncates, saturates, and turns
// NaN into 0.
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

static RF_INLINE int32_t truncate(float x) {
  if (x != x) return 0;
  if (x >= 2147483648.f) return INT32_MAX;
  return x < -2147483648.f ? INT32_MIN : (int32_t)x;
}

template <class From, class To>
static RF_INLINE void castRange(const From* x, To* y, int64_t count) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(y + i, load(x + i));
  for (; i < count; i++) fromFloat(toFloat(x[i]), y + i);
}
template <class From>
static RF_INLINE void castRange(const From* x, int32_t* y, int64_t count) {
  for (int64_t i = 0; i < count; i++) y[i] = truncate(toFloat(x[i]));
}
template <class To>
static RF_INLINE void castRange(const int32_t* x, To* y, int64_t count) {
  for (int64_t i = 0; i < count; i++) fromFloat((float)x[i], y + i);
}
static RF_INLINE void castRange(const int32_t* x, int32_t* y, int64_t count) { memcpy(y, x, count * sizeof *y); }

template <class From, class To>
static inline void castAll(const Call& call) {
  const From* x = (const From*)call.inputs[0].data;
  To* y = (To*)call.outputs[0].data;
  forRanges(call.pool, call.outputs[0].size, kGrain,
            [=](int64_t begin, int64_t end) { castRange(x + begin, y + begin, end - begin); });
}

template <class From>
static inline void castFrom(const Call& call) {
  switch (call.outputs[0].dtype) {
    case DType::Float32: return castAll<From, float>(call);
    case DType::BFloat16: return castAll<From, bf16>(call);
    case DType::Int32: return castAll<From, int32_t>(call);
  }
}

static void castKernel(const Call& call) {
  switch (call.inputs[0].dtype) {
    case DType::Float32: return castFrom<float>(call);
    case DType::BFloat16: return castFrom<bf16>(call);
    case DType::Int32: return castFrom<int32_t>(call);
  }
}

}  // namespace RF_NS
}  // namespace rectiflow
