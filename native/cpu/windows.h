// How the windows of a convolution become the right operand of a matrix product, without the matrix of all that they cover.
//
// A block of windows covers a band of the image: its pixels, and the zeros around it, are copied into a thread's own cache, in units
// (tile.h; pairs of bf16 are two channels of a pixel), some channels at a time. There every tap of the kernel meets neighbouring
// pixels for neighbouring windows, so that a panel of the product is packed by copying vectors, without a look at borders.
#pragma once
#include "gemm.h"

namespace rectiflow {
namespace RF_NS {

// One axis of a correlation. Window i covers `taps` pixels of the source from i * stride + first on, with zeros outside. Tap t, by weight
// `weight` + t * weightStep of a kernel's line, meets the t-th of them, or, turned, the t-th from the end. What comes of it is pixel
// out + i * outStep of the result.
struct Line {
  int64_t pixels, windows, stride;
  int64_t taps, first, weight, weightStep;
  bool turned;
  int64_t out, outStep;

  RF_INLINE int64_t met(int64_t t) const { return turned ? taps - 1 - t : t; }
};

// A block of neighbouring windows of one image.
struct Block {
  int64_t row, rows, column, columns;

  int64_t windows() const { return rows * columns; }
};

// Where the pixels that a block's windows cover are copied to. Windows that are apart cover neighbouring pixels with every
// stride-th tap: a row is stored in `stride` parts, each of the pixels that are as far apart.
struct Band {
  int64_t pixels, part, row, plane;  // pixels of a row; units of its parts, of a row, of all rows of a channel

  Band(const Line& rows, const Line& columns, int64_t blockRows, int64_t blockColumns) {
    pixels = (blockColumns - 1) * columns.stride + columns.taps;
    part = ceilDiv(pixels, columns.stride);
    row = part * columns.stride;
    plane = row * ((blockRows - 1) * rows.stride + rows.taps);
  }
  // The pixel that a tap meets in the block's first window.
  int64_t tap(int64_t t, int64_t u, int64_t stride) const { return t * row + u % stride * part + u / stride; }
};

// Whole vectors may be written or read past the end.
constexpr int64_t kSlack = 2 * kLanes;

// A unit of one pixel, of two channels where that takes two.
static RF_INLINE float unitOf(const float* even, const float*, float) { return *even; }
static RF_INLINE float unitOf(const bf16* even, const bf16*, float) { return toFloat(*even); }
static RF_INLINE uint32_t unitOf(const bf16* even, const bf16* odd, uint32_t) {
  return even->bits | (odd ? (uint32_t)odd->bits << 16 : 0);
}

template <class P>
static RF_INLINE P* putZeros(P* to, int64_t count) {
  for (int64_t i = 0; i < count; i += kLanes) *(vu_unaligned*)(to + i) = (vu){};
  return to + count;
}

// One row of a band, of neighbouring pixels from `from` on. odd: the second channel of a pair, nullptr where there is none.
template <class P, class S>
static void copyRow(const S* even, const S* odd, int64_t from, const Line& columns, const Band& band, P* to) {
  if (columns.stride > 1) {
    for (int64_t part = 0; part < columns.stride; part++)
      for (int64_t i = 0, x = from + part; i < band.part; i++, x += columns.stride)
        *to++ = x >= 0 && x < columns.pixels ? unitOf(even + x, odd ? odd + x : nullptr, P{}) : P{};
    return;
  }
  const int64_t before = min64(band.pixels, max64(0, -from)), inside = max64(0, min64(columns.pixels - from, band.pixels) - before);
  to = putZeros(to, before);
  const int64_t first = from + before;
  for (int64_t i = 0; i < inside; i += kLanes)
    *(vu_unaligned*)(to + i) = Across<P, S>::load(even + first + i, odd ? odd + first + i : nullptr, inside - i);
  putZeros(to + inside, band.pixels - before - inside);
}

// The pixels that a block covers, of `units` units of channels from channel `from` on; image [channels, rows, columns].
template <class P, class S>
static void copyBand(const S* image, int64_t channels, int64_t from, int64_t units, const Line& rows, const Line& columns,
                     const Block& block, const Band& band, P* to) {
  const int64_t plane = rows.pixels * columns.pixels;
  const int64_t firstRow = block.row * rows.stride + rows.first, firstColumn = block.column * columns.stride + columns.first;
  for (int64_t u = 0; u < units; u++) {
    const int64_t channel = from + u * kUnitSize<P>;
    P* line = to + u * band.plane;
    for (int64_t y = firstRow; line < to + (u + 1) * band.plane; y++, line += band.row) {
      if (y < 0 || y >= rows.pixels) {
        putZeros(line, band.row);
        continue;
      }
      const S* const even = image + channel * plane + y * columns.pixels;
      const bool paired = kUnitSize<P> == 2 && channel + 1 < channels;
      copyRow<P, S>(even, paired ? even + plane : nullptr, firstColumn, columns, band, line);
    }
  }
}

// Neighbouring windows of a panel.
struct Run {
  int64_t at, count;  // columns of the panel
  int64_t from;       // in the band, what the first tap of the first of them meets
};
// The runs of the panel that begins with a block's window `first`.
struct Runs {
  int64_t count = 0;
  Run runs[kTileCols];

  Runs(const Block& block, const Line& rows, const Band& band, int64_t first, int64_t windows) {
    for (int64_t at = 0; at < windows; count++) {
      const int64_t row = (first + at) / block.columns, column = (first + at) % block.columns;
      const int64_t length = min64(windows - at, block.columns - column);
      runs[count] = {at, length, row * rows.stride * band.row + column};
      at += length;
    }
  }
  // Of each run; 0 where they differ.
  int64_t vectors() const {
    const int64_t all = ceilDiv(runs[0].count, kLanes);
    for (int64_t i = 1; i < count; i++)
      if (ceilDiv(runs[i].count, kLanes) != all) return 0;
    return all;
  }
};

// Packs a panel: units of channels, and for each of them all taps. Where runs are as long as some whole vectors, or nearly, they cost
// no more than those.
template <int kVectors, class P>
static void packRuns(const P* band, const Band& layout, int64_t units, const Line& rows, const Line& columns, const Runs& runs, P* panel) {
  for (int64_t u = 0; u < units; u++, band += layout.plane)
    for (int64_t t = 0; t < rows.taps; t++)
      for (int64_t v = 0; v < columns.taps; v++, panel += kTileCols) {
        const P* const from = band + layout.tap(rows.met(t), columns.met(v), columns.stride);
        for (const Run* run = runs.runs; run < runs.runs + runs.count; run++) {
          const int64_t count = kVectors ? kVectors * kLanes : run->count;
#pragma GCC unroll 4
          for (int64_t i = 0; i < count; i += kLanes)
            *(vu_unaligned*)(panel + run->at + i) = *(const vu_unaligned*)(from + run->from + i);
        }
      }
}
template <class P>
static void packWindows(const P* band, const Band& layout, int64_t units, const Line& rows, const Line& columns, const Runs& runs,
                        P* panel) {
  const auto pack = runs.vectors() == 1              ? packRuns<1, P>
                    : runs.vectors() == 2            ? packRuns<2, P>
                    : runs.vectors() == kTileVectors ? packRuns<kTileVectors, P>
                                                     : packRuns<0, P>;
  pack(band, layout, units, rows, columns, runs, panel);
}

}  // namespace RF_NS
}  // namespace rectiflow
