// sum over any axes, accumulated in float64, and its gradient broadcastTo.
#include "reduction.h"

namespace rectiflow {
namespace RF_NS {

struct SumReducer {
  static constexpr int kWidth = kLanes / 2;
  using Scalar = double;
  typedef double Vector __attribute__((vector_size(kWidth * 8)));
  typedef float Floats __attribute__((vector_size(kWidth * 4), may_alias, aligned(4)));

  static RF_INLINE Scalar identity() { return 0; }
  static RF_INLINE Vector load(const float* x) { return __builtin_convertvector(*(const Floats*)x, Vector); }
  template <class T>
  static RF_INLINE T combine(T a, T b) {
    return a + b;
  }
};

static void sumKernel(const Call& call) { reduce<SumReducer>(call); }

template <class T>
static inline void broadcastAs(const Call& call) {
  const T* x = (const T*)call.inputs[0].data;
  T* y = (T*)call.outputs[0].data;
  const Axes<1> axes = broadcastAxes<1>(call.outputs[0], call.inputs);
  const bool moves = axes.innerMoves(0);
  forRanges(call.pool, call.outputs[0].size, kGrain, [&](int64_t begin, int64_t end) {
    forRows(axes, begin, end, [&](int64_t to, const int64_t* from, int64_t length) {
      if (moves) {
        memcpy(y + to, x + from[0], length * sizeof(T));
      } else {
        const T value = x[from[0]];
        for (int64_t i = 0; i < length; i++) y[to + i] = value;
      }
    });
  });
}

static void broadcastToKernel(const Call& call) {
  if (call.inputs[0].dtype == DType::BFloat16)
    broadcastAs<uint16_t>(call);
  else
    broadcastAs<uint32_t>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
