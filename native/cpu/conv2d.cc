// Convolutions of images, y[b, o] = sum over channels and taps of w[o, c, tap] x[b, c, around], and the gradient of their input, which is
// a convolution too. x [B, C, H, W], w [O, C, kh, kw], b [O], y [B, O, Ho, Wo].
//
// An implicit product of matrices: weights [O, C kh kw] times what the windows cover [C kh kw, windows], of which each thread packs a
// panel at a time (windows.h). So y comes out as it lies, pixel beside pixel, and the weights are packed once for all.
//
// In the gradient dx is made of dy: pixels that are `stride` apart meet the same taps, so each such lattice of pixels is a
// convolution of its own with some of the taps, turned by half a circle, and no zeros are multiplied.
#include <type_traits>

#include "activation.h"
#include "windows.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kBlockWindows = 256;          // of an item: rows at its borders are covered by the next one too
constexpr int64_t kBlockFloats = 1 << 16;       // sums of an item that wait for those over other channels
constexpr int64_t kWidestBlock = 2 * kTileCols;  // or the whole width

// y [B, outputs, height, width] of x [B, channels, rows.pixels, columns.pixels].
struct Correlation {
  int64_t images, channels, outputs;
  Line rows, columns;
  int64_t height, width;
  const float* w;  // of output o, channel c and tap (t, u): w[o*outputStride + c*channelStride + line(t)*tapStride + line(u)]
  int64_t outputStride, channelStride, tapStride;
  const float* bias;  // nullptr: none
  bool relu;          // of what comes out

  int64_t taps() const { return rows.taps * columns.taps; }
};

// How a correlation is cut into items: blocks of windows and of outputs.
template <class P>
struct Cut {
  int64_t units, chunk, chunks;  // of channels, packed at a time
  Block block;                   // the first of an image
  int64_t down, across;          // blocks of an image
  int64_t outputs, parts;        // outputs of an item
  int64_t weightStride;          // of an output's weights
  int64_t sums, panel, band;     // of a thread

  Cut(const Correlation& c, int threads) {
    units = unitsOf<P>(c.channels);
    chunks = ceilDiv(units, max64(1, kUnitBlock / c.taps()));
    chunk = ceilDiv(units, chunks);
    block.row = block.column = 0;
    across = c.columns.windows > kWidestBlock ? ceilDiv(c.columns.windows, kTileCols) : 1;
    block.columns = ceilDiv(c.columns.windows, across);
    const int64_t most = max64(kTileCols, min64(kBlockWindows, chunks > 1 ? kBlockFloats / c.outputs : kBlockWindows));
    block.rows = max64(1, min64(c.rows.windows, most / block.columns));
    // Several items per thread, which even out unequal speeds: smaller blocks first, then fewer outputs, which pack them again.
    const int64_t wanted = 4 * threads;
    const auto blocks = [&] { return c.images * across * ceilDiv(c.rows.windows, block.rows); };
    while (blocks() < wanted && block.windows() > kTileCols && block.rows > 1) block.rows = ceilDiv(block.rows, 2);
    down = ceilDiv(c.rows.windows, block.rows);
    parts = min64(ceilDiv(wanted, blocks()), ceilDiv(c.outputs, kRowBlock));
    outputs = min64(c.outputs, ceilDiv(ceilDiv(c.outputs, parts), kTileRows) * kTileRows);
    parts = ceilDiv(c.outputs, outputs);
    weightStride = copiedStride(units * c.taps());
    sums = outputs * kTileCols * (chunks > 1 ? ceilDiv(block.windows(), kTileCols) : 1);
    panel = paddedPanel(chunk * c.taps() * kTileCols + kSlack);
    band = paddedPanel(chunk * Band(c.rows, c.columns, block.rows, block.columns).plane + kSlack);
  }
  int64_t items(const Correlation& c) const { return c.images * down * across * parts; }
  int64_t sharedBytes(const Correlation& c) const { return c.outputs * weightStride * (int64_t)sizeof(P); }
  int64_t threadBytes() const { return (sums + panel + band) * (int64_t)sizeof(float); }
};

static RF_INLINE void putWeight(float even, float, float* to) { *to = even; }
static RF_INLINE void putWeight(RoundedFloat even, RoundedFloat, float* to) { *to = toFloat(even); }
static RF_INLINE void putWeight(float even, float odd, uint32_t* to) {
  bf16 pair[2];
  fromFloat(even, &pair[0]);
  fromFloat(odd, &pair[1]);
  *to = pair[0].bits | (uint32_t)pair[1].bits << 16;
}

// A kernel's taps, of one channel or, in pairs, of two.
template <class P, class W>
static void packTaps(const Correlation& c, const W* even, const W* odd, P* to) {
  const int64_t taps = c.taps();
  if (c.rows.weightStep == 1 && c.columns.weightStep == 1 && c.tapStride == c.columns.taps) {
    for (int64_t i = 0; i < taps; i += kLanes)
      *(vu_unaligned*)(to + i) = Across<P, W>::load(even + i, odd ? odd + i : nullptr, taps - i);
    return;
  }
  for (int64_t t = 0, y = c.rows.weight; t < c.rows.taps; t++, y += c.rows.weightStep)
    for (int64_t u = 0, x = c.columns.weight; u < c.columns.taps; u++, x += c.columns.weightStep) {
      const int64_t at = y * c.tapStride + x;
      putWeight(even[at], odd ? odd[at] : W{}, to++);
    }
}

// Each output's weights, by units of channels and for each of them by taps, as panels of windows are packed.
template <class P, class W>
static void packWeights(const Call& call, const Correlation& c, const Cut<P>& cut, P* packed) {
  parallel(call.pool, ceilDiv(c.outputs, kTileRows), [&](int64_t item, int) {
    const int64_t first = item * kTileRows, end = min64(c.outputs, first + kTileRows);
    for (int64_t channel = 0, at = 0; channel < c.channels; channel += kUnitSize<P>, at += c.taps())
      for (int64_t o = first; o < end; o++) {
        const W* const kernel = (const W*)c.w + o * c.outputStride + channel * c.channelStride;
        const bool paired = kUnitSize<P> == 2 && channel + 1 < c.channels;
        packTaps<P, W>(c, kernel, paired ? kernel + c.channelStride : nullptr, packed + o * cut.weightStride + at);
      }
  });
}

// Writes sums + bias of a panel's windows, whose first is the block's window `first`: sums[o*kTileCols + i].
template <class Y>
static void storePanel(const Correlation& c, const Block& block, const Runs& runs, int64_t first, int64_t firstOutput,
                       int64_t outputs, const float* sums, Y* y) {
  const int64_t plane = c.height * c.width;
  // Whole rows of a result without gaps lie one behind the other.
  const bool joined = c.columns.outStep == 1 && c.rows.outStep == 1 && block.columns == c.width;
  const Run& last = runs.runs[runs.count - 1];
  const Run all = {0, last.at + last.count, 0};
  const Run* const from = joined ? &all : runs.runs;
  const int64_t count = joined ? 1 : runs.count;
  for (int64_t o = 0; o < outputs; o++, sums += kTileCols) {
    const float bias = c.bias ? c.bias[firstOutput + o] : 0.f;
    for (const Run* run = from; run < from + count; run++) {
      const int64_t window = first + run->at, row = block.row + window / block.columns, column = block.column + window % block.columns;
      Y* const to = y + (firstOutput + o) * plane + (c.rows.out + row * c.rows.outStep) * c.width + c.columns.out + column * c.columns.outStep;
      if (c.columns.outStep == 1) {
        for (int64_t i = 0; i < run->count; i += 2 * kLanes) {
          const int64_t lanes = run->count - i;
          const Pair sum = {load(sums + run->at + i), load(sums + run->at + i + (lanes > kLanes ? kLanes : 0))};
          const Pair z = {sum.low + bias, sum.high + bias};
          storePair(to + i, c.relu ? activated<kRelu, Y>(z) : z, lanes);
        }
        continue;
      }
      for (int64_t i = 0; i < run->count; i++) fromFloat(sums[run->at + i] + bias, to + i * c.columns.outStep);
    }
  }
}

template <class P, class S, class Y>
static void correlateItem(const Correlation& c, const Cut<P>& cut, int64_t item, const S* x, const P* weights, float* scratch, Y* y) {
  const int64_t part = item % cut.parts, at = item / cut.parts, image = at / (cut.down * cut.across);
  Block block = cut.block;
  block.row = at / cut.across % cut.down * block.rows;
  block.column = at % cut.across * block.columns;
  block.rows = min64(block.rows, c.rows.windows - block.row);
  block.columns = min64(block.columns, c.columns.windows - block.column);
  const int64_t output = part * cut.outputs, outputs = min64(cut.outputs, c.outputs - output);
  const Band layout(c.rows, c.columns, block.rows, block.columns);
  float* const sums = scratch;
  P *const panel = (P*)(sums + cut.sums), *const band = panel + cut.panel;
  x += image * c.channels * c.rows.pixels * c.columns.pixels;
  y += image * c.outputs * c.height * c.width;
  for (int64_t chunk = 0; chunk < cut.chunks; chunk++) {
    const int64_t unit = chunk * cut.chunk, units = min64(cut.chunk, cut.units - unit);
    copyBand<P, S>(x, c.channels, unit * kUnitSize<P>, units, c.rows, c.columns, block, layout, band);
    const Left<P> left = rowMajorLeft(weights + output * cut.weightStride + unit * c.taps(), cut.weightStride);
    float* to = sums;
    for (int64_t window = 0; window < block.windows(); window += kTileCols) {
      const int64_t windows = min64(kTileCols, block.windows() - window);
      const Runs runs(block, c.rows, layout, window, windows);
      packWindows(band, layout, units, c.rows, c.columns, runs, panel);
      multiply(outputs, ceilDiv(windows, kLanes) * kLanes, units * c.taps() * kUnitSize<P>, left, Right<P>{panel, 0}, to, kTileCols,
               chunk > 0);
      if (chunk + 1 == cut.chunks) storePanel(c, block, runs, window, output, outputs, to, y);
      if (cut.chunks > 1) to += cut.outputs * kTileCols;
    }
  }
}

// The pixels that no tap meets.
template <class Y>
static void clearPixels(const Call& call, const Correlation& c, Y* y) {
  parallel(call.pool, c.images * c.outputs, [&](int64_t item, int) {
    for (int64_t i = 0; i < c.rows.windows; i++)
      for (int64_t j = 0; j < c.columns.windows; j++)
        fromFloat(0.f, y + (item * c.height + c.rows.out + i * c.rows.outStep) * c.width + c.columns.out + j * c.columns.outStep);
  });
}

template <class P, class S, class Y>
static void correlate(const Call& call, const Correlation& c, const Tensor& x, const Tensor& y) {
  if (c.taps() == 0) return clearPixels(call, c, (Y*)y.data);
  const Cut<P> cut(c, call.pool->threads());
  P* const weights = (P*)call.shared();
  packWeights<P, std::conditional_t<sizeof(S) == 2, LowFloat, float>>(call, c, cut, weights);
  parallel(call.pool, cut.items(c), [&](int64_t item, int thread) {
    correlateItem<P, S, Y>(c, cut, item, (const S*)x.data, weights, (float*)call.own(thread), (Y*)y.data);
  });
}

template <class P>
static void reserveFor(const Correlation& c, int threads, int64_t* shared, int64_t* perThread) {
  if (c.taps() == 0) return;
  const Cut<P> cut(c, threads);
  *shared = max64(*shared, cut.sharedBytes(c));
  *perThread = max64(*perThread, cut.threadBytes());
}

// Runs correlationOf(0 .. count - 1), which together make y of x.
template <class CorrelationOf>
static void runCorrelations(const Call& call, const Tensor& x, const Tensor& y, int64_t count, const CorrelationOf& correlationOf) {
  const bool lowX = x.dtype == DType::BFloat16, lowY = y.dtype == DType::BFloat16;
  const int threads = call.pool->threads();
  int64_t shared = 0, perThread = 0;
  for (int64_t i = 0; i < count; i++) {
    const Correlation c = correlationOf(i);
    lowX ? reserveFor<LowPacked>(c, threads, &shared, &perThread) : reserveFor<float>(c, threads, &shared, &perThread);
  }
  if (!call.reserve(shared, perThread)) return;
  for (int64_t i = 0; i < count; i++) {
    const Correlation c = correlationOf(i);
    if (lowX)
      lowY ? correlate<LowPacked, bf16, bf16>(call, c, x, y) : correlate<LowPacked, bf16, float>(call, c, x, y);
    else
      lowY ? correlate<float, float, bf16>(call, c, x, y) : correlate<float, float, float>(call, c, x, y);
  }
}

static int64_t sideOf(const Call& call, int side) { return (int64_t)call.attribute("padding")->values[side]; }

static void conv2dKernel(const Call& call) {
  const Tensor &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
  const int64_t stride = (int64_t)call.number("stride", 1), kh = w.shape[2], kw = w.shape[3];
  const Line rows = {x.shape[2], y.shape[2], stride, kh, -sideOf(call, 0), 0, 1, false, 0, 1};
  const Line columns = {x.shape[3], y.shape[3], stride, kw, -sideOf(call, 2), 0, 1, false, 0, 1};
  runCorrelations(call, x, y, 1, [&](int64_t) {
    return Correlation{x.shape[0], x.shape[1],          w.shape[0],          rows,    columns, y.shape[2],
                       y.shape[3], (const float*)w.data, x.shape[1] * kh * kw, kh * kw, kw,
                       call.inputCount > 2 ? (const float*)call.inputs[2].data : nullptr, activationOf(call) == kRelu};
  });
}

// An axis of the lattice of pixels `phase`, `phase` + stride and so on, of an image that `windows` windows of `taps` taps covered,
// beginning `before` pixels before it.
static Line latticeLine(int64_t pixels, int64_t windows, int64_t taps, int64_t stride, int64_t before, int64_t phase) {
  const int64_t tap = (phase + before) % stride, count = tap < taps ? ceilDiv(taps - tap, stride) : 0;
  const int64_t first = (phase + before) / stride - count + 1;
  return {windows, ceilDiv(pixels - phase, stride), 1, count, first, tap, stride, true, phase, stride};
}

static void conv2dGradInputKernel(const Call& call) {
  const Tensor &dy = call.inputs[0], &w = call.inputs[1], &dx = call.outputs[0];
  const int64_t stride = (int64_t)call.number("stride", 1), kh = w.shape[2], kw = w.shape[3];
  const int64_t down = min64(stride, dx.shape[2]), across = min64(stride, dx.shape[3]);
  runCorrelations(call, dy, dx, down * across, [&](int64_t lattice) {
    const Line rows = latticeLine(dx.shape[2], dy.shape[2], kh, stride, sideOf(call, 0), lattice / across);
    const Line columns = latticeLine(dx.shape[3], dy.shape[3], kw, stride, sideOf(call, 2), lattice % across);
    return Correlation{dx.shape[0], w.shape[0],           w.shape[1], rows,                 columns, dx.shape[2],
                       dx.shape[3], (const float*)w.data, kh * kw,    w.shape[1] * kh * kw, kw,      nullptr, false};
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
