// Elementwise ops. Binary ones broadcast as numpy does: rows along the innermost axis, along which each argument either moves
// with the result or stands still, so that the inner loops are plain vector loops. Bound by memory.
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

struct Add {
  static RF_INLINE vf apply(vf a, vf b) { return a + b; }
};
struct Sub {
  static RF_INLINE vf apply(vf a, vf b) { return a - b; }
};
struct Mul {
  static RF_INLINE vf apply(vf a, vf b) { return a * b; }
};
struct Div {
  static RF_INLINE vf apply(vf a, vf b) { return a / b; }
};
struct Less {
  static RF_INLINE vf apply(vf a, vf b) { return select((vi)(a < b), splat(1.f), (vf){}); }
};
// NaN in either argument gives NaN.
struct Minimum {
  static RF_INLINE vf apply(vf a, vf b) { return select((vi)(a < b) | (vi)(a != a), a, b); }
};
struct Maximum {
  static RF_INLINE vf apply(vf a, vf b) { return select((vi)(a > b) | (vi)(a != a), a, b); }
};

template <class Op, bool kMovesA, bool kMovesB, class A, class B, class Y>
static inline void binaryRow(const A* a, const B* b, Y* y, int64_t length) {
  const vf fixedA = splat(toFloat(*a)), fixedB = splat(toFloat(*b));
  int64_t i = 0;
  for (; i + kLanes <= length; i += kLanes)
    store(y + i, Op::apply(kMovesA ? load(a + i) : fixedA, kMovesB ? load(b + i) : fixedB));
  if (i < length) {
    const int64_t rest = length - i;
    const vf lastA = kMovesA ? loadPartial(a + i, rest) : fixedA;
    const vf lastB = kMovesB ? loadPartial(b + i, rest) : fixedB;
    storePartial(y + i, Op::apply(lastA, lastB), rest);
  }
}

template <class Op>
static inline void binary(const Call& call) {
  const float* a = (const float*)call.inputs[0].data;
  const float* b = (const float*)call.inputs[1].data;
  float* y = (float*)call.outputs[0].data;
  const Axes<2> axes = broadcastAxes<2>(call.outputs[0], call.inputs);
  const bool movesA = axes.innerMoves(0), movesB = axes.innerMoves(1);
  forRanges(call.pool, call.outputs[0].size, kGrain, [&](int64_t begin, int64_t end) {
    forRows(axes, begin, end, [&](int64_t to, const int64_t* from, int64_t length) {
      const float* rowA = a + from[0];
      const float* rowB = b + from[1];
      if (movesA && movesB)
        binaryRow<Op, true, true>(rowA, rowB, y + to, length);
      else if (movesA)
        binaryRow<Op, true, false>(rowA, rowB, y + to, length);
      else
        binaryRow<Op, false, true>(rowA, rowB, y + to, length);
    });
  });
}

static void addKernel(const Call& call) { binary<Add>(call); }
static void subKernel(const Call& call) { binary<Sub>(call); }
static void divKernel(const Call& call) { binary<Div>(call); }
static void lessKernel(const Call& call) { binary<Less>(call); }
static void minimumKernel(const Call& call) { binary<Minimum>(call); }
static void maximumKernel(const Call& call) { binary<Maximum>(call); }

template <class A, class B, class Y>
static inline void multiplySameShape(const Call& call) {
  const A* a = (const A*)call.inputs[0].data;
  const B* b = (const B*)call.inputs[1].data;
  Y* y = (Y*)call.outputs[0].data;
  forRanges(call.pool, call.outputs[0].size, kGrain, [=](int64_t begin, int64_t end) {
    binaryRow<Mul, true, true>(a + begin, b + begin, y + begin, end - begin);
  });
}

template <class A, class B>
static inline void multiplyInto(const Call& call) {
  if (call.outputs[0].dtype == DType::BFloat16)
    multiplySameShape<A, B, bf16>(call);
  else
    multiplySameShape<A, B, float>(call);
}

// Unlike the others, mul takes bfloat16 for each of a, b and y, where their shapes are equal.
static void mulKernel(const Call& call) {
  const bool lowA = call.inputs[0].dtype == DType::BFloat16, lowB = call.inputs[1].dtype == DType::BFloat16;
  if (lowA && lowB)
    multiplyInto<bf16, bf16>(call);
  else if (lowA)
    multiplyInto<bf16, float>(call);
  else if (lowB)
    multiplyInto<float, bf16>(call);
  else if (call.outputs[0].dtype == DType::BFloat16)
    multiplySameShape<float, float, bf16>(call);
  else
    binary<Mul>(call);
}

// y = f(x) one number at a time, for functions of the C library; those cost more, so the pieces are smaller.
template <class F>
static inline void unaryScalar(const Call& call, const F& f) {
  const float* x = (const float*)call.inputs[0].data;
  float* y = (float*)call.outputs[0].data;
  forRanges(call.pool, call.outputs[0].size, kGrain / 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) y[i] = f(x[i]);
  });
}

static void negKernel(const Call& call) {
  unary(call, [](vf x) { return -x; });
}
static void expKernel(const Call& call) {
  unary(call, [](vf x) { return vexp(x); });
}
static void sqrtKernel(const Call& call) {
  unary(call, [](vf x) { return vsqrt(x); });
}
static void squareKernel(const Call& call) {
  unary(call, [](vf x) { return x * x; });
}
static void reciprocalKernel(const Call& call) {
  unary(call, [](vf x) { return 1.f / x; });
}
static void sigmoidKernel(const Call& call) {
  unary(call, [](vf x) { return vsigmoid(x); });
}
static void affineKernel(const Call& call) {
  const float scale = (float)call.number("scale", 1), offset = (float)call.number("offset", 0);
  unary(call, [=](vf x) { return x * scale + offset; });
}
static void logKernel(const Call& call) {
  unaryScalar(call, [](float x) { return logf(x); });
}
static void tanhKernel(const Call& call) {
  unaryScalar(call, [](float x) { return tanhf(x); });
}
static void sinKernel(const Call& call) {
  unaryScalar(call, [](float x) { return sinf(x); });
}
static void cosKernel(const Call& call) {
  unaryScalar(call, [](float x) { return cosf(x); });
}

}  // namespace RF_NS
}  // namespace rectiflow
