// The register tile under every matrix product: C[rows, cols] (+)= A[rows, k] B[k, cols], float32 sums.
//
// A tile of C (kTileRows x kTileCols) stays in registers while the sum over k runs. The right operand is packed into panels of
// kTileCols columns, so its vectors stream from the cache in the order of use. The left operand is read one element at a time
// and broadcast, which costs little and leaves its layout free: packed, or straight from a row-major matrix.
//
// A "unit" is the 32-bit element of a packed operand: one float along k, or two neighbouring bf16 (uint32_t, the even k in the
// low half), which one instruction multiplies and sums. Kernels without that instruction widen bf16 data to float as they pack.
#pragma once
#include "simd.h"

namespace rectiflow {
namespace RF_NS {

// The packed type of bf16 data on this instruction set.
#if RF_BF16_DOT
using LowPacked = uint32_t;
#else
using LowPacked = float;
#endif

// 32 vector registers, else 16.
#if RF_LANES == 16 || defined(__aarch64__)
constexpr bool kManyRegisters = true;
#else
constexpr bool kManyRegisters = false;
#endif

// As many accumulators as leave registers for one column strip of B and one element of A.
#if RF_LANES == 16
constexpr int kTileRows = 6, kTileVectors = 4;  // 24 of 32 registers
#elif RF_LANES == 8
constexpr int kTileRows = 6, kTileVectors = 2;  // 12 of 16
#elif defined(__aarch64__)
constexpr int kTileRows = 8, kTileVectors = 3;  // 24 of 32
#else
constexpr int kTileRows = 4, kTileVectors = 2;  // 8 of 16: without fused multiply-add, products need registers too
#endif
constexpr int kTileCols = kTileVectors * kLanes;
// Units from one k to the next in a packed left operand: a little more than kTileRows where that makes it a power of two.
constexpr int kPackedRows = kTileRows == 6 ? 8 : kTileRows;
// The most rows that pass over a panel of B while it is at hand.
constexpr int kRowBlock = 48;
static_assert(kRowBlock % kTileRows == 0 && kRowBlock % kLanes == 0, "whole tiles and whole vectors");

// Pairs of bf16 may begin at an odd one.
typedef uint32_t vu_unaligned __attribute__((vector_size(RF_LANES * 4), may_alias, aligned(2)));

template <class P>
constexpr int64_t kUnitSize = 1;
template <>
constexpr int64_t kUnitSize<uint32_t> = 2;
template <class P>
static RF_INLINE int64_t unitsOf(int64_t k) { return (k + kUnitSize<P> - 1) / kUnitSize<P>; }

// sum + left * right in each lane; of pairs, the sum of both products.
static RF_INLINE vf multiplyAdd(float left, vu right, vf sum) { return left * (vf)right + sum; }
static RF_INLINE vf multiplyAdd(uint32_t left, vu right, vf sum) {
#if RF_LANES == 16 && defined(__AVX512BF16__)
  return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)_mm512_set1_epi32((int)left), (__m512bh)right);
#else
  const vu pair = left - (vu){};
  sum += (vf)(pair & 0xffff0000u) * (vf)(right & 0xffff0000u);
  return sum + (vf)(pair << 16) * (vf)(right << 16);
#endif
}

// The left operand: unit u of row i of the t-th tile of kTileRows rows is data[t*tileStride + i*rowStride + u*unitStride].
template <class P>
struct Left {
  const P* data;
  int64_t tileStride, rowStride, unitStride;
};
// The right operand: unit u of column j of the t-th panel of kTileCols columns is data[t*panelStride + u*kTileCols + j].
template <class P>
struct Right {
  const P* data;
  int64_t panelStride;
};
template <class P>
static RF_INLINE Left<P> packedLeft(const P* data, int64_t k) {
  return {data, kPackedRows * unitsOf<P>(k), 1, kPackedRows};
}
// A row-major matrix of units as it lies in memory; rowStride counts units. bf16 data with even k and rows an even number of
// elements apart may be read as pairs.
template <class P>
static RF_INLINE Left<P> rowMajorLeft(const P* data, int64_t rowStride) {
  return {data, kTileRows * rowStride, rowStride, 1};
}
template <class P>
static RF_INLINE Right<P> packedRight(const P* data, int64_t k) {
  return {data, kTileCols * unitsOf<P>(k)};
}

// The rows of a left operand, by one base per three of them: the addressing modes reach a row at 0, 1 or 2 strides from it.
template <int R>
constexpr int kBases = (R + 2) / 3;
template <class P, int N>
static RF_INLINE void pointAtRows(const P* a, int64_t rowStride, const P* (&base)[N]) {
#pragma GCC unroll 8
  for (int i = 0; i < N; i++) base[i] = a + 3 * i * rowStride;
}
template <class P, int N>
static RF_INLINE void moveAlong(const P* (&base)[N], int64_t unitStride) {
#pragma GCC unroll 8
  for (int i = 0; i < N; i++) base[i] += unitStride;
}

// One step along k of a register tile of R rows and V vectors: a unit of each row, a base per three rows, times a unit of b.
template <class P, int R, int V>
static RF_INLINE void addProducts(const P* const (&base)[kBases<R>], int64_t rowStride, const P* b, vf (&sum)[R][V]) {
  vu right[V];
#pragma GCC unroll 4
  for (int v = 0; v < V; v++) right[v] = *(const vu_unaligned*)(b + v * kLanes);
#pragma GCC unroll 24
  for (int i = 0; i < R; i++) {
    const P left = base[i / 3][i % 3 * rowStride];
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) sum[i][v] = multiplyAdd(left, right[v], sum[i][v]);
  }
}

// The steps along k between pieces of other work, at most, where that finishes products: more were slower, and fewer.
constexpr int kStepsPerEnd = 12;

// The sums of a register tile of R rows and V vectors of a panel of kCols columns, while `pieces` pieces of other work are done:
// beside(piece), one after every few steps along k, at most kStepsPerPiece. An out-of-order processor does them on units that
// products leave idle.
template <class P, int R, int V, int kCols, int kStepsPerPiece = kStepsPerEnd, class Beside>
static RF_INLINE void tileSums(int64_t units, const P* a, int64_t rowStride, int64_t unitStride, const P* b, vf (&sum)[R][V],
                               int64_t pieces, Beside&& beside) {
  const P* base[kBases<R>];
  pointAtRows(a, rowStride, base);
#pragma GCC unroll 12
  for (int i = 0; i < R; i++)
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) sum[i][v] = (vf){};
  const auto advance = [&](int64_t steps) RF_ALWAYS_INLINE {
    for (int64_t u = 0; u < steps; u++) {
      addProducts(base, rowStride, b, sum);
      moveAlong(base, unitStride);
      b += kCols;
    }
  };
  const int64_t steps = pieces ? min64((int64_t)kStepsPerPiece, units / pieces) : 0;
  for (int64_t piece = 0; piece < pieces; piece++) {
    advance(steps);
    beside(piece);
  }
  advance(units - steps * pieces);
}

// One register tile, written to c in whole vectors. Its old contents are replaced, or kept as a term.
template <class P, int R, int V, int kCols, int kStepsPerPiece = kStepsPerEnd, class Beside>
static RF_INLINE void writeTileSums(int64_t units, const P* a, int64_t rowStride, int64_t unitStride, const P* b, float* c,
                                    int64_t ldc, bool accumulate, int64_t pieces, Beside&& beside) {
  vf sum[R][V];
  tileSums<P, R, V, kCols, kStepsPerPiece>(units, a, rowStride, unitStride, b, sum, pieces, beside);
  const auto finish = [&](auto&& value) RF_ALWAYS_INLINE {
    float* out = c;
#pragma GCC unroll 12
    for (int i = 0; i < R; i++, out += ldc)
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) store(out + v * kLanes, value(out + v * kLanes, sum[i][v]));
  };
  if (!accumulate)
    finish([](const float*, vf sum) RF_ALWAYS_INLINE { return sum; });
  else
    finish([](const float* old, vf sum) RF_ALWAYS_INLINE { return load(old) + sum; });
}
// The operands come as single arguments: structs would travel through memory, which costs a tenth of a tile that is only one
// attention head deep.
template <class P, int R, int V, int kCols = kTileCols>
__attribute__((noinline)) static void microKernel(int64_t units, const P* a, int64_t rowStride, int64_t unitStride, const P* b,
                                                  float* c, int64_t ldc, bool accumulate) {
  writeTileSums<P, R, V, kCols>(units, a, rowStride, unitStride, b, c, ldc, accumulate, 0, [](int64_t) RF_ALWAYS_INLINE {});
}
// A whole tile with other work beside it, after every Beside::kStepsPerPiece steps at most.
template <class P, class Beside>
__attribute__((noinline)) static void microKernelBeside(int64_t units, const P* a, int64_t rowStride, int64_t unitStride,
                                                        const P* b, float* c, int64_t ldc, bool accumulate, int64_t pieces,
                                                        Beside& beside) {
  writeTileSums<P, kTileRows, kTileVectors, kTileCols, Beside::kStepsPerPiece>(units, a, rowStride, unitStride, b, c, ldc,
                                                                               accumulate, pieces, beside);
}

// The kernel that fits a tile at the edge: no work is spent on rows and whole vectors outside of C.
template <class P, int R = kTileRows, int V = kTileVectors>
static RF_INLINE void anyTile(int64_t rows, int64_t vectors, int64_t units, const P* a, const Left<P>& left, const P* b,
                              float* c, int64_t ldc, bool accumulate) {
  if constexpr (R > 1)
    if (rows < R) return anyTile<P, R - 1, V>(rows, vectors, units, a, left, b, c, ldc, accumulate);
  if constexpr (V > 1)
    if (vectors < V) return anyTile<P, R, V - 1>(rows, vectors, units, a, left, b, c, ldc, accumulate);
  microKernel<P, R, V>(units, a, left.rowStride, left.unitStride, b, c, ldc, accumulate);
}

// C[rows, cols] = A B, or C += A B; nothing outside of C is written. k counts elements, not units.
template <class P>
static void multiply(int64_t rows, int64_t cols, int64_t k, Left<P> a, Right<P> b, float* c, int64_t ldc, bool accumulate) {
  const int64_t units = unitsOf<P>(k);
  for (int64_t j = 0; j < cols; j += kTileCols, b.data += b.panelStride) {
    const int64_t width = min64(kTileCols, cols - j), whole = width / kLanes, rest = width % kLanes;
    const P* tileOfA = a.data;
    for (int64_t i = 0; i < rows; i += kTileRows, tileOfA += a.tileStride) {
      const int64_t height = min64(kTileRows, rows - i);
      float* out = c + i * ldc + j;
      if (whole) anyTile<P>(height, whole, units, tileOfA, a, b.data, out, ldc, accumulate);
      if (rest == 0) continue;
      float edge[kTileRows * kLanes];
      anyTile<P, kTileRows, 1>(height, 1, units, tileOfA, a, b.data + whole * kLanes, edge, kLanes, false);
      out += whole * kLanes;
      for (int64_t r = 0; r < height; r++)
        for (int64_t q = 0; q < rest; q++) out[r * ldc + q] = edge[r * kLanes + q] + (accumulate ? out[r * ldc + q] : 0.f);
    }
  }
}

// The same for operands packed by packRows and packCols.
template <class P>
static void multiply(int64_t rows, int64_t cols, int64_t k, const P* a, const P* b, float* c, int64_t ldc, bool accumulate) {
  multiply(rows, cols, k, packedLeft(a, k), packedRight(b, k), c, ldc, accumulate);
}

}  // namespace RF_NS
}  // namespace rectiflow
