// The gradient of a convolution's parameters: dw[o, c, tap] = sum over images and windows of dy[b, o, window] x[b, c, what it meets],
// db[o] = sum of dy. x [B, C, H, W], dy [B, O, Ho, Wo] -> dw [O, C, kh, kw], db [O].
//
// A product of matrices, summed over the windows of all images: what they cover [C kh kw, windows] times dy [windows, O]. dy is packed
// by all threads, some MiB at a time. An item is some rows of the other operand, of which it copies a part along the windows, row by
// row of the image, and whose sums it adds to. Where there are few such items, the parts along the windows are shared among several
// sums too, by the shapes alone, and those are added in the end.
#include "windows.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kWindowUnits = 512;            // along the windows: what an item copies at a time
constexpr int64_t kPackedOutputBytes = 4 << 20;  // of dy
constexpr int64_t kEnoughSums = 16, kMostSums = 4;

// The windows of all images, one behind the other, each image's filled up to whole units.
template <class P>
struct ConvolutionGrad {
  int64_t images, channels, outputs;
  Line rows, columns;
  int64_t windows, padded;  // of an image

  int64_t taps() const { return rows.taps * columns.taps; }
  int64_t weights() const { return channels * taps(); }  // of an output
  int64_t rowBlocks() const { return ceilDiv(weights(), kRowBlock); }
  int64_t panels() const { return ceilDiv(outputs, kTileCols); }
  int64_t units() const { return images * padded / kUnitSize<P>; }
  int64_t unitsOfPass() const {
    const int64_t fits = kPackedOutputBytes / (panels() * kTileCols * (int64_t)sizeof(P));
    return min64(ceilDiv(units(), kWindowUnits), max64(1, fits / kWindowUnits)) * kWindowUnits;
  }
  int64_t panelStride() const { return paddedPanel(unitsOfPass() * kTileCols); }
  int64_t sums() const {
    const int64_t most = min64(kMostSums, unitsOfPass() / kWindowUnits);
    return max64(1, min64(most, kEnoughSums / rowBlocks()));
  }
  int64_t packedFloats() const { return panels() * panelStride(); }
  int64_t sharedBytes() const { return (packedFloats() + sums() * weights() * outputs) * (int64_t)sizeof(float); }
  int64_t rowStride() const { return copiedStride(kWindowUnits); }
  int64_t threadBytes() const { return (kRowBlock * rowStride() + kSlack) * (int64_t)sizeof(P); }

  // Calls body(image, first, count, at) for the images' windows among units [from, to), the first of which lands in unit `at`.
  template <class Body>
  void forImages(int64_t from, int64_t to, const Body& body) const {
    const int64_t end = to * kUnitSize<P>;
    for (int64_t k = from * kUnitSize<P>; k < end;) {
      const int64_t image = k / padded, first = k % padded, count = min64(padded - first, end - k);
      body(image, first, min64(count, windows - first), k / kUnitSize<P> - from);
      k += count;
    }
  }
};

// The elements that rows of the left operand are made of.
template <class P>
struct ElementOf {
  using Type = float;
};
template <>
struct ElementOf<uint32_t> {
  using Type = bf16;
};

// Neighbours; whole vectors are written.
static RF_INLINE void copyElements(const bf16* from, int64_t count, bf16* to) {
#if RF_LANES == 16 && defined(__AVX512BW__)
  for (int64_t i = 0; i < count; i += 2 * kLanes) {
    const uint32_t lanes = count - i >= 2 * kLanes ? ~0u : (1u << (count - i)) - 1;
    _mm512_storeu_si512((void*)(to + i), _mm512_maskz_loadu_epi16((__mmask32)lanes, from + i));
  }
#else
  for (int64_t i = 0; i < count; i++) to[i] = from[i];
#endif
}
template <class S>
static RF_INLINE void copyElements(const S* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i += kLanes) store(to + i, loadNarrow(from + i, count - i));
}
static RF_INLINE void clearElements(float* to, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] = 0;
}
static RF_INLINE void clearElements(bf16* to, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] = bf16{0};
}
static RF_INLINE void copyElement(const bf16* from, bf16* to) { *to = *from; }
template <class S>
static RF_INLINE void copyElement(const S* from, float* to) { *to = toFloat(*from); }

// What a tap meets in windows [first, first + count) of an image's channel.
template <class E, class S>
static void copyMet(const S* pixels, const Line& rows, const Line& columns, int64_t t, int64_t u, int64_t first, int64_t count, E* to) {
  int64_t row = first / columns.windows, column = first % columns.windows;
  for (; count > 0; row++, column = 0) {
    const int64_t length = min64(count, columns.windows - column), y = row * rows.stride + rows.first + t;
    int64_t x = column * columns.stride + columns.first + u;
    if (y < 0 || y >= rows.pixels) {
      clearElements(to, length);
    } else if (columns.stride == 1) {
      const S* const line = pixels + y * columns.pixels;
      const int64_t before = min64(length, max64(0, -x)), inside = max64(0, min64(columns.pixels - x, length) - before);
      clearElements(to, before);
      copyElements(line + x + before, inside, to + before);
      clearElements(to + before + inside, length - before - inside);
    } else {
      const S* const line = pixels + y * columns.pixels;
      for (int64_t i = 0; i < length; i++, x += columns.stride)
        if (x >= 0 && x < columns.pixels)
          copyElement(line + x, to + i);
        else
          clearElements(to + i, 1);
    }
    to += length;
    count -= length;
  }
}

// Rows [row, row + count) of what windows cover, units [from, to).
template <class P, class S>
static void copyRows(const ConvolutionGrad<P>& c, const S* x, int64_t row, int64_t count, int64_t from, int64_t to, P* copied) {
  using E = typename ElementOf<P>::Type;
  const int64_t plane = c.rows.pixels * c.columns.pixels;
  for (int64_t i = 0; i < count; i++, copied += c.rowStride()) {
    const int64_t channel = (row + i) / c.taps(), tap = (row + i) % c.taps();
    c.forImages(from, to, [&](int64_t image, int64_t first, int64_t windows, int64_t at) {
      E* const here = (E*)(copied + at);
      copyMet(x + (image * c.channels + channel) * plane, c.rows, c.columns, tap / c.columns.taps, tap % c.columns.taps, first, windows,
              here);
      clearElements(here + windows, min64(kUnitSize<P> - 1, windows % kUnitSize<P>));
    });
  }
}

// The sum of a plane, in parts that keep its digits.
template <class S>
static float sumOfPlane(const S* from, int64_t count) {
  constexpr int64_t part = 4096;
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += part) {
    vf sum = {};
    const int64_t end = min64(count, begin + part);
    for (int64_t i = begin; i < end; i += kLanes) sum += loadNarrow(from + i, end - i);
    total += sumLanes(sum);
  }
  return (float)total;
}

template <class P, class SX, class SY>
static void convolutionGrad(const Call& call, const ConvolutionGrad<P>& c) {
  if (!call.reserve(c.sharedBytes(), c.threadBytes())) return;
  const SX* const x = (const SX*)call.inputs[0].data;
  const SY* const dy = (const SY*)call.inputs[1].data;
  float *const dw = (float*)call.outputs[0].data, *const db = (float*)call.outputs[1].data;
  Pool* const pool = call.pool;
  P* const packed = (P*)call.shared();
  float* const sums = (float*)(packed + c.packedFloats());
  const int64_t rowBlocks = c.rowBlocks(), parts = c.sums(), perPass = c.unitsOfPass(), rowFloats = c.weights() * c.outputs;

  for (int64_t pass = 0; pass < c.units(); pass += perPass) {
    const int64_t units = min64(perPass, c.units() - pass), chunks = ceilDiv(units, kWindowUnits);
    parallel(pool, chunks * c.panels(), [&](int64_t item, int) {
      const int64_t chunk = item / c.panels(), panel = item % c.panels(), output = panel * kTileCols;
      P* const to = packed + panel * c.panelStride() + chunk * kWindowUnits * kTileCols;
      const int64_t from = pass + chunk * kWindowUnits;
      c.forImages(from, min64(from + kWindowUnits, pass + units), [&](int64_t image, int64_t first, int64_t count, int64_t at) {
        packAlong<RightPanel>(dy + (image * c.outputs + output) * c.windows + first, c.windows, min64(kTileCols, c.outputs - output), count,
                              to + at * kTileCols, 0);
      });
    });
    parallel(pool, parts * rowBlocks, [&](int64_t item, int thread) {
      const int64_t part = item / rowBlocks, row = item % rowBlocks * kRowBlock, rows = min64(kRowBlock, c.weights() - row);
      P* const copied = (P*)call.own(thread);
      float* const out = sums + part * rowFloats + row * c.outputs;
      const int64_t begin = part * chunks / parts, end = (part + 1) * chunks / parts;
      for (int64_t chunk = begin; chunk < end; chunk++) {
        const int64_t from = chunk * kWindowUnits, count = min64(kWindowUnits, units - from);
        copyRows(c, x, row, rows, pass + from, pass + from + count, copied);
        multiply(rows, c.outputs, count * kUnitSize<P>, rowMajorLeft((const P*)copied, c.rowStride()),
                 Right<P>{packed + from * kTileCols, c.panelStride()}, out, c.outputs, pass > 0 || chunk > begin);
      }
    });
  }

  parallel(pool, c.outputs, [&](int64_t o, int) {
    for (int64_t i = 0; i < c.weights(); i++) {
      float total = sums[i * c.outputs + o];
      for (int64_t part = 1; part < parts; part++) total += sums[part * rowFloats + i * c.outputs + o];
      dw[o * c.weights() + i] = total;
    }
    if (!db) return;
    double total = 0;
    for (int64_t image = 0; image < c.images; image++) total += sumOfPlane(dy + (image * c.outputs + o) * c.windows, c.windows);
    db[o] = (float)total;
  });
}

template <class P, class SX, class SY>
static void convolutionGradOf(const Call& call) {
  const Tensor &x = call.inputs[0], &dy = call.inputs[1], &dw = call.outputs[0];
  const double* const padding = call.attribute("padding")->values;
  const int64_t stride = (int64_t)call.number("stride", 1), windows = dy.shape[2] * dy.shape[3];
  const Line rows = {x.shape[2], dy.shape[2], stride, dw.shape[2], -(int64_t)padding[0], 0, 1, false, 0, 1};
  const Line columns = {x.shape[3], dy.shape[3], stride, dw.shape[3], -(int64_t)padding[2], 0, 1, false, 0, 1};
  convolutionGrad<P, SX, SY>(
      call, {x.shape[0], x.shape[1], dy.shape[1], rows, columns, windows, ceilDiv(windows, kUnitSize<P>) * kUnitSize<P>});
}

static void conv2dGradParamsKernel(const Call& call) {
  const bool lowX = call.inputs[0].dtype == DType::BFloat16, lowDy = call.inputs[1].dtype == DType::BFloat16;
  if (lowX && lowDy) return convolutionGradOf<LowPacked, bf16, bf16>(call);
  if (lowX) return convolutionGradOf<float, bf16, float>(call);
  if (lowDy) return convolutionGradOf<float, float, bf16>(call);
  convolutionGradOf<float, float, float>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
