// A square block of kLanes x kLanes 32-bit elements, transposed in registers: within every 4x4 block by interleaving, then by
// exchanging blocks of 4 and of 8 lanes. log2(kLanes) shuffles per vector, none of them through memory.
#pragma once
#include "simd.h"

#if defined(__clang__)
#define RF_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define RF_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vi){__VA_ARGS__})
#endif

namespace rectiflow {
namespace RF_NS {

// In every four lanes: a0 b0 a1 b1 and a2 b2 a3 b3; a0 a1 b0 b1 and a2 a3 b2 b3.
#if RF_LANES == 4
static RF_INLINE vu interleaveLow(vu a, vu b) { return RF_SHUFFLE(a, b, 0, 4, 1, 5); }
static RF_INLINE vu interleaveHigh(vu a, vu b) { return RF_SHUFFLE(a, b, 2, 6, 3, 7); }
static RF_INLINE vu joinLow(vu a, vu b) { return RF_SHUFFLE(a, b, 0, 1, 4, 5); }
static RF_INLINE vu joinHigh(vu a, vu b) { return RF_SHUFFLE(a, b, 2, 3, 6, 7); }
#elif RF_LANES == 8
static RF_INLINE vu interleaveLow(vu a, vu b) { return RF_SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13); }
static RF_INLINE vu interleaveHigh(vu a, vu b) { return RF_SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15); }
static RF_INLINE vu joinLow(vu a, vu b) { return RF_SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13); }
static RF_INLINE vu joinHigh(vu a, vu b) { return RF_SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15); }
#else
static RF_INLINE vu interleaveLow(vu a, vu b) {
  return RF_SHUFFLE(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
}
static RF_INLINE vu interleaveHigh(vu a, vu b) {
  return RF_SHUFFLE(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
}
static RF_INLINE vu joinLow(vu a, vu b) {
  return RF_SHUFFLE(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
}
static RF_INLINE vu joinHigh(vu a, vu b) {
  return RF_SHUFFLE(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}
#endif

static RF_INLINE void transpose(vu row[kLanes]) {
#pragma GCC unroll 4
  for (int i = 0; i < kLanes; i += 4) {
    const vu a = interleaveLow(row[i], row[i + 1]), b = interleaveHigh(row[i], row[i + 1]);
    const vu c = interleaveLow(row[i + 2], row[i + 3]), d = interleaveHigh(row[i + 2], row[i + 3]);
    row[i] = joinLow(a, c);
    row[i + 1] = joinHigh(a, c);
    row[i + 2] = joinLow(b, d);
    row[i + 3] = joinHigh(b, d);
  }
#if RF_LANES == 8
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const vu a = row[i], b = row[i + 4];
    row[i] = RF_SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
    row[i + 4] = RF_SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
  }
#elif RF_LANES == 16
#pragma GCC unroll 8
  for (int n = 0; n < 8; n++) {
    const int i = n / 4 * 8 + n % 4;
    const vu a = row[i], b = row[i + 4];
    row[i] = RF_SHUFFLE(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    row[i + 4] = RF_SHUFFLE(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    const vu a = row[i], b = row[i + 8];
    row[i] = RF_SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    row[i + 8] = RF_SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
#endif
}

}  // namespace RF_NS
}  // namespace rectiflow
