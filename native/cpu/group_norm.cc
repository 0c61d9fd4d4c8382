// Group norm of images with what follows it, and its gradient.
//
//   y = act(z), z = h w + b                               with h = (x - mean) rstd; x, y [B, C, ...]; w, b [C]; mean, rstd [B, groups]
//   dx = rstd (g - mean(g) - h mean(g h))                 with g = dz w, dz = dy act'(z), means over a group
//   dw = sum of dz h, db = sum of dz                      over images and pixels
//
// A group of an image is contiguous: an item, which passes over it twice. The statistics come from parts that fit the first-level
// cache, each taken about its own mean, so that they are read from memory once and a mean that dwarfs the deviations costs no accuracy.
// The gradient makes h and z again, in both of its passes, so that nobody has to keep them.
#include <type_traits>

#include "activation.h"
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kNormPart = 4096;  // elements

// Calls body(at, lanes) for pairs of vectors of [0, count).
template <class Body>
static RF_INLINE void forPairs(int64_t count, Body&& body) {
  for (int64_t i = 0; i < count; i += 2 * kLanes) body(i, count - i);
}
// The lanes that count, the others zero.
static RF_INLINE Pair onlyFirst(Pair x, int64_t lanes) {
  if (lanes >= 2 * kLanes) return x;
  float all[2 * kLanes];
  store(all, x.low);
  store(all + kLanes, x.high);
  for (int64_t i = lanes; i < 2 * kLanes; i++) all[i] = 0;
  return {load(all), load(all + kLanes)};
}

struct Moments {
  double mean = 0, squares = 0;  // squares: the sum of squared deviations
  int64_t count = 0;

  // Joins those of other numbers (Chan et al. 1979).
  void join(double otherMean, double otherSquares, int64_t otherCount) {
    const double all = (double)(count + otherCount), apart = otherMean - mean;
    squares += otherSquares + apart * apart * (double)count * (double)otherCount / all;
    mean += apart * (double)otherCount / all;
    count += otherCount;
  }
};

template <class X>
static Moments momentsOf(const X* x, int64_t count) {
  Moments all;
  for (int64_t begin = 0; begin < count; begin += kNormPart) {
    const int64_t part = min64(kNormPart, count - begin);
    const X* const from = x + begin;
    Pair sum = {};
    forPairs(part, [&](int64_t i, int64_t lanes) RF_ALWAYS_INLINE {
      const Pair at = loadPair(from + i, lanes);
      sum = {sum.low + at.low, sum.high + at.high};
    });
    const float mean = sumLanes(sum.low + sum.high) / (float)part;
    Pair first = {}, second = {};
    forPairs(part, [&](int64_t i, int64_t lanes) RF_ALWAYS_INLINE {
      const Pair at = loadPair(from + i, lanes), d = onlyFirst({at.low - mean, at.high - mean}, lanes);
      first = {first.low + d.low, first.high + d.high};
      second = {second.low + d.low * d.low, second.high + d.high * d.high};
    });
    const double excess = (double)sumLanes(first.low + first.high) / (double)part;
    all.join(mean + excess, (double)sumLanes(second.low + second.high) - excess * excess * (double)part, part);
  }
  return all;
}

// One channel of a group: how x becomes h, and h becomes z.
struct Channel {
  float mean, excess, rstd, w, b;

  RF_INLINE Pair normalized(Pair x) const {
    return {((x.low - mean) - excess) * rstd, ((x.high - mean) - excess) * rstd};
  }
  RF_INLINE Pair scaled(Pair h) const { return {h.low * w + b, h.high * w + b}; }
};

template <int activation, class T>
static RF_INLINE Pair activatedOr(Pair z) {
  if constexpr (activation == kNoActivation)
    return z;
  else
    return activated<activation, T>(z);
}
// dz, of values that are kept as T.
template <int activation, class T>
static RF_INLINE Pair gradientBefore(Pair dy, Pair z) {
  if constexpr (activation == kNoActivation) return dy;
  else {
    const Pair slope = activationSlope<activation, T>(z);
    return {dy.low * slope.low, dy.high * slope.high};
  }
}

template <int activation, class X, class Y>
static void groupNormTyped(const Call& call) {
  const Tensor& in = call.inputs[0];
  const int64_t images = in.shape[0], channels = in.shape[1], pixels = in.size / max64(1, images * channels);
  const int64_t groups = (int64_t)call.number("groups", 1), perGroup = channels / groups;
  const X* const x = (const X*)in.data;
  const float *const w = (const float*)call.inputs[1].data, *const b = (const float*)call.inputs[2].data;
  Y* const y = (Y*)call.outputs[0].data;
  float *const means = (float*)call.outputs[1].data, *const rstds = (float*)call.outputs[2].data;
  const double epsilon = call.number("epsilon", 1e-6);
  parallelSpans(call.pool, images * groups, perGroup * pixels, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; group++) {
      const int64_t first = group * perGroup;  // channel among those of all images
      const Moments moments = momentsOf(x + first * pixels, perGroup * pixels);
      const double variance = moments.squares / (double)moments.count;
      const float mean = (float)moments.mean;
      const float rstd = (float)(1 / __builtin_sqrt((variance < 0 ? 0 : variance) + epsilon));  // below 0 by rounding; NaN stays
      means[group] = mean;
      rstds[group] = rstd;
      for (int64_t c = first; c < first + perGroup; c++) {
        const Channel channel = {mean, (float)(moments.mean - mean), rstd, w[c % channels], b[c % channels]};
        forPairs(pixels, [&](int64_t i, int64_t lanes) RF_ALWAYS_INLINE {
          const Pair z = channel.scaled(channel.normalized(loadPair(x + c * pixels + i, lanes)));
          storePair(y + c * pixels + i, activatedOr<activation, Y>(z), lanes);
        });
      }
    }
  });
}

template <int activation, class X, class DY, class DX>
static void groupNormGradTyped(const Call& call) {
  const Tensor& in = call.inputs[0];
  const int64_t images = in.shape[0], channels = in.shape[1], pixels = in.size / max64(1, images * channels);
  const int64_t groups = (int64_t)call.number("groups", 1), perGroup = channels / groups;
  if (!call.reserve(2 * images * channels * sizeof(float), 0)) return;
  const X* const x = (const X*)in.data;
  const float *const w = (const float*)call.inputs[1].data, *const b = (const float*)call.inputs[2].data;
  const float *const means = (const float*)call.inputs[3].data, *const rstds = (const float*)call.inputs[4].data;
  const DY* const dy = (const DY*)call.inputs[5].data;
  DX* const dx = (DX*)call.outputs[0].data;
  float *const dw = (float*)call.outputs[1].data, *const db = (float*)call.outputs[2].data;
  float *const sums = (float*)call.shared(), *const products = sums + images * channels;  // of dz and dz h, by image and channel

  parallelSpans(call.pool, images * groups, perGroup * pixels, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; group++) {
      const int64_t first = group * perGroup;
      double along = 0, alongH = 0;
      for (int64_t c = first; c < first + perGroup; c++) {
        const Channel channel = {means[group], 0.f, rstds[group], w[c % channels], b[c % channels]};
        double sum = 0, product = 0;
        for (int64_t from = 0; from < pixels; from += kNormPart) {
          const int64_t at = c * pixels + from;
          Pair dzs = {}, dzhs = {};
          forPairs(min64(kNormPart, pixels - from), [&](int64_t i, int64_t lanes) RF_ALWAYS_INLINE {
            const Pair h = channel.normalized(loadPair(x + at + i, lanes));
            const Pair dz = onlyFirst(gradientBefore<activation, X>(loadPair(dy + at + i, lanes), channel.scaled(h)), lanes);
            dzs = {dzs.low + dz.low, dzs.high + dz.high};
            dzhs = {dzhs.low + dz.low * h.low, dzhs.high + dz.high * h.high};
          });
          sum += sumLanes(dzs.low + dzs.high);
          product += sumLanes(dzhs.low + dzhs.high);
        }
        sums[c] = (float)sum;
        products[c] = (float)product;
        along += sum * channel.w;
        alongH += product * channel.w;
      }
      const float meanG = (float)(along / (double)(perGroup * pixels)), meanGH = (float)(alongH / (double)(perGroup * pixels));
      for (int64_t c = first; c < first + perGroup; c++) {
        const Channel channel = {means[group], 0.f, rstds[group], w[c % channels], b[c % channels]};
        forPairs(pixels, [&](int64_t i, int64_t lanes) RF_ALWAYS_INLINE {
          const int64_t at = c * pixels + i;
          const Pair h = channel.normalized(loadPair(x + at, lanes));
          const Pair dz = gradientBefore<activation, X>(loadPair(dy + at, lanes), channel.scaled(h));
          storePair(dx + at,
                    {((dz.low * channel.w - meanG) - h.low * meanGH) * channel.rstd,
                     ((dz.high * channel.w - meanG) - h.high * meanGH) * channel.rstd},
                    lanes);
        });
      }
    }
  });

  for (int64_t c = 0; c < channels; c++) {
    double total = 0, product = 0;
    for (int64_t image = 0; image < images; image++) {
      total += sums[image * channels + c];
      product += products[image * channels + c];
    }
    db[c] = (float)total;
    dw[c] = (float)product;
  }
}

// Calls body<activation>() for the op's.
template <class Body>
static void forActivation(const Call& call, const Body& body) {
  switch (activationOf(call)) {
    case kGelu:
      return body(std::integral_constant<int, kGelu>());
    case kSilu:
      return body(std::integral_constant<int, kSilu>());
    default:
      body(std::integral_constant<int, kNoActivation>());
  }
}

static void groupNormKernel(const Call& call) {
  const bool lowX = call.inputs[0].dtype == DType::BFloat16, lowY = call.outputs[0].dtype == DType::BFloat16;
  forActivation(call, [&](auto activation) {
    constexpr int act = decltype(activation)::value;
    if (lowX) return lowY ? groupNormTyped<act, bf16, bf16>(call) : groupNormTyped<act, bf16, float>(call);
    lowY ? groupNormTyped<act, float, bf16>(call) : groupNormTyped<act, float, float>(call);
  });
}

static void groupNormGradKernel(const Call& call) {
  const bool lowX = call.inputs[0].dtype == DType::BFloat16, lowDy = call.inputs[5].dtype == DType::BFloat16;
  const bool lowDx = call.outputs[0].dtype == DType::BFloat16;
  forActivation(call, [&](auto activation) {
    constexpr int act = decltype(activation)::value;
    const auto typed = [&](auto dx) {
      using DX = decltype(dx);
      if (lowX) return lowDy ? groupNormGradTyped<act, bf16, bf16, DX>(call) : groupNormGradTyped<act, bf16, float, DX>(call);
      lowDy ? groupNormGradTyped<act, float, bf16, DX>(call) : groupNormGradTyped<act, float, float, DX>(call);
    };
    lowDx ? typed(bf16{}) : typed(0.f);
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
