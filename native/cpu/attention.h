// What attention and its gradient share: the rows of a head as operands of products (attention_tile.h), an exponential,
// scratch memory, and the order of the work.
#pragma once
#include <type_traits>

#include "attention_tile.h"
#include "exp2.h"
#include "pack.h"

namespace rectiflow {
namespace RF_NS {

constexpr float kLog2e = 1.44269504f, kLn2 = 0.693147181f;

static constexpr RF_INLINE int64_t roundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// The length of a block, a multiple of `multiple`, when `total` is cut into blocks as equal as can be of at most `most`.
static RF_INLINE int64_t evenBlock(int64_t total, int64_t most, int64_t multiple) {
  return roundUp(ceilDiv(total, ceilDiv(total, most)), multiple);
}

// The rows of one head in a tensor [B, N, columns]: its d elements of token t start at element t*stride.
struct HeadRows {
  char* data;
  bool low;  // bfloat16, else float32
  int64_t stride, tokens;

  HeadRows(const Tensor& tensor, int64_t image, int64_t column) {
    low = tensor.dtype == DType::BFloat16;
    stride = tensor.shape[2];
    tokens = tensor.shape[1];
    data = (char*)tensor.data + (image * tensor.shape[1] * stride + column) * (low ? 2 : 4);
  }
  // Bytes of an element.
  RF_INLINE int64_t size() const { return low ? 2 : 4; }
  // Calls body with a typed pointer to a token's row.
  template <class Body>
  RF_INLINE void visit(int64_t token, Body&& body) const {
    if (low)
      body((bf16*)data + token * stride);
    else
      body((float*)data + token * stride);
  }
};

// Where queries, keys and values, or their gradients, lie: in one tensor [B, N, 3D], last axis (3, H, d), or in two, [B, N, D]
// and [B, M, 2D], last axis (2, H, d). Heads are numbered through the batch.
struct AttentionTensors {
  const Tensor &queries, &keysValues;
  int64_t heads, d, keyColumn;
  const int32_t* lengths;  // the keys that exist in each image; nullptr: all of them

  AttentionTensors(const Tensor& qkv, int64_t heads)
      : queries(qkv), keysValues(qkv), heads(heads), d(qkv.shape[2] / 3 / heads), keyColumn(heads * d), lengths(nullptr) {}
  AttentionTensors(const Tensor& q, const Tensor& kv, const int32_t* lengths, int64_t heads)
      : queries(q), keysValues(kv), heads(heads), d(q.shape[2] / heads), keyColumn(0), lengths(lengths) {}

  bool low() const { return queries.dtype == DType::BFloat16 && keysValues.dtype == DType::BFloat16; }
  int64_t allHeads() const { return queries.shape[0] * heads; }
  // A head in a tensor whose last axis has it at a column of H d.
  HeadRows rows(const Tensor& tensor, int64_t head, int64_t column) const {
    return HeadRows(tensor, head / heads, column + head % heads * d);
  }
  HeadRows q(int64_t head) const { return rows(queries, head, 0); }
  HeadRows k(int64_t head) const { return existing(head, keyColumn); }
  HeadRows v(int64_t head) const { return existing(head, keyColumn + heads * d); }

 private:
  HeadRows existing(int64_t head, int64_t column) const {
    HeadRows all = rows(keysValues, head, column);
    if (lengths) all.tokens = min64(max64(lengths[head / heads], 0), all.tokens);
    return all;
  }
};

// Brings rows of several heads into the second-level cache, a few at each call of step(), while products keep the arithmetic
// units busy. A head's rows lie too far apart for the hardware to foresee: fetched only when its turn comes, they cost as much
// as a third of its products. Asked for all at once, most requests are dropped. The rows are visited without branches that
// depend on them: a mispredicted one would cost more than the request.
struct Fetcher {
  static constexpr int64_t kHeads = 8;
  const char *row[kHeads], *last[kHeads];
  int64_t stride[kHeads], count, bytes, every, perStep, wait = 0, head = 0, left = 0;

  // The tokens of `count` heads of width d, spread over `steps` calls: far ahead of their use they would be evicted again.
  Fetcher(const HeadRows* heads, int64_t count, int64_t d, int64_t steps) : count(count), bytes(d * heads->size()) {
    for (int64_t i = 0; i < count; i++) {
      row[i] = heads[i].data;
      stride[i] = heads[i].stride * heads[i].size();
      last[i] = row[i] + max64(heads[i].tokens - 1, 0) * stride[i];
      left = max64(left, heads[i].tokens * count);
    }
    every = left ? max64(1, steps / left) : 1;
    perStep = ceilDiv(left, max64(1, steps));
  }

  RF_INLINE void step() {
    if (left <= 0 || ++wait < every) return;
    wait = 0;
    left -= perStep;
    for (int64_t i = 0; i < perStep; i++) {
      const char* const at = row[head];
      row[head] = at < last[head] ? at + stride[head] : at;
      head = head + 1 < count ? head + 1 : 0;
      // Two lines, which most rows have, and what there is beyond.
      __builtin_prefetch(at, 0, 2);
      __builtin_prefetch(at + min64(64, bytes - 1), 0, 2);
      for (int64_t byte = 128; byte < bytes; byte += 64) __builtin_prefetch(at + byte, 0, 2);
    }
  }
};

// kLanes neighbouring units along k; remaining counts elements up to the end of k, past which there are zeros.
template <class P, class S>
static RF_INLINE vu unitsAlong(const S* p, int64_t remaining) { return AlongK<P, S>::load(p, remaining); }
#if RF_LANES == 16 && defined(__AVX512BW__)
template <>
RF_INLINE vu unitsAlong<uint32_t>(const bf16* p, int64_t remaining) {
  const __mmask32 mask = remaining >= 32 ? ~0u : (1u << remaining) - 1;
  return (vu)_mm512_maskz_loadu_epi16(mask, p);
}
#endif

template <class P>
static RF_INLINE int64_t panelUnits(int64_t columns, int64_t k) { return roundUp(columns, kHeadCols) * unitsOf<P>(k); }

// A right operand whose columns are tokens; the sum runs over the head's elements. Blocks are transposed in registers.
template <class P>
static Panels<P> packTokens(const HeadRows& rows, int64_t from, int64_t count, int64_t d, P* packed) {
  const int64_t units = unitsOf<P>(d), panelStride = kHeadCols * units;
  rows.visit(from, [&](auto* source) {
    for (int64_t t = 0; t < count; t += kLanes) {
      P* const panel = packed + t / kHeadCols * panelStride + t % kHeadCols;
      for (int64_t u = 0; u < units; u += kLanes) {
        const int64_t k = u * kUnitSize<P>;
        vu block[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; i++)
          block[i] = t + i < count ? unitsAlong<P>(source + (t + i) * rows.stride + k, d - k) : (vu){};
        transpose(block);
        for (int64_t i = 0; i < min64(kLanes, units - u); i++) *(vu_unaligned*)(panel + (u + i) * kHeadCols) = block[i];
      }
    }
  });
  return {packed, panelStride};
}

// A right operand whose columns are the head's elements; the sum runs over tokens.
template <class P>
static Panels<P> packFeatures(const HeadRows& rows, int64_t from, int64_t count, int64_t d, P* packed) {
  const int64_t units = unitsOf<P>(count), panelStride = kHeadCols * units;
  rows.visit(from, [&](auto* source) {
    using Source = std::remove_pointer_t<decltype(source)>;
    for (int64_t u = 0; u < units; u++) {
      const int64_t token = u * kUnitSize<P>;
      for (int64_t j = 0; j < d; j += kLanes)
        *(vu_unaligned*)(packed + j / kHeadCols * panelStride + u * kHeadCols + j % kHeadCols) =
            Across<P, Source>::load(source + token * rows.stride + j, rows.stride, token + 1 < count, d - j);
    }
  });
  return {packed, panelStride};
}

// A left operand whose rows are tokens, and zeros up to a whole tile of scores. Copied, so that its rows lie close together
// whatever the tensor's stride.
template <class P>
static Rows<P> copyTokens(const HeadRows& rows, int64_t from, int64_t count, int64_t d, P* copy) {
  const int64_t units = unitsOf<P>(d), stride = roundUp(units, kLanes);
  rows.visit(from, [&](auto* source) {
    for (int64_t t = 0; t < count; t++)
      for (int64_t u = 0; u < units; u += kLanes) {
        const int64_t k = u * kUnitSize<P>;
        *(vu_unaligned*)(copy + t * stride + u) = unitsAlong<P>(source + t * rows.stride + k, d - k);
      }
  });
  memset(copy + count * stride, 0, (roundUp(count, kScoreRows) - count) * stride * sizeof(P));
  return {copy, stride, 1};
}
template <class P>
static RF_INLINE int64_t copiedUnits(int64_t count, int64_t d) { return count * roundUp(unitsOf<P>(d), kLanes); }

// storePartial without its loop where masked stores exist.
template <class T>
static RF_INLINE void storeNarrow(T* p, vf x, int64_t n) { storePartial(p, x, n); }
#if RF_LANES == 16 && defined(__AVX512BW__)
template <>
RF_INLINE void storeNarrow(float* p, vf x, int64_t n) { _mm512_mask_storeu_ps(p, (__mmask16)laneMask(n), (__m512)x); }
#endif
#if RF_LANES == 16 && defined(__AVX512BF16__)
template <>
RF_INLINE void storeNarrow(bf16* p, vf x, int64_t n) {
  _mm256_mask_storeu_epi16(p, (__mmask16)laneMask(n), (__m256i)_mm512_cvtneps_pbh((__m512)x));
}
#endif

// rows[from + t] = factor(t) * source[t]
template <class Factor>
static void storeTokens(const HeadRows& rows, int64_t from, int64_t count, int64_t d, const float* source, int64_t ld,
                        Factor&& factor) {
  rows.visit(from, [&](auto* out) {
    for (int64_t t = 0; t < count; t++) {
      const float f = factor(t);
      for (int64_t j = 0; j < d; j += kLanes) storeNarrow(out + t * rows.stride + j, f * load(source + t * ld + j), d - j);
    }
  });
}

// Zeros in the rows from `from` on, up to `to`.
static void clearTokens(const HeadRows& rows, int64_t from, int64_t to, int64_t d) {
  for (int64_t t = from; t < to; t++) memset(rows.data + t * rows.stride * rows.size(), 0, d * rows.size());
}

// One row of bf16 pairs from two rows of a tile.
static RF_INLINE vu interleave(vf even, vf odd) {
#if RF_LANES == 16 && defined(__AVX512BF16__)
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20,
                                         4, 19, 3, 18, 2, 17, 1, 16, 0);
  return (vu)_mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh((__m512)odd, (__m512)even));
#else
  bf16 low[2 * kLanes];
  store(low, even);
  store(low + kLanes, odd);
  return (vu)load(low) >> 16 | (vu)load(low + kLanes);
#endif
}

constexpr int64_t kUnitWork = 1 << 18;  // multiply-adds worth claiming on their own

// Runs body(unit, next, thread) for every unit, several in a row where they are small. `next` is the unit that the thread will
// probably run after this one, or `units` if none is left.
template <class Body>
static void parallelUnits(Pool* pool, int64_t units, int64_t multiplyAdds, Body&& body) {
  const int64_t run = max64(1, kUnitWork / multiplyAdds);
  parallel(pool, ceilDiv(units, run), [&](int64_t item, int thread) {
    const int64_t end = min64(units, (item + 1) * run);
    for (int64_t unit = item * run; unit < end; unit++) body(unit, unit + 1, thread);
  });
}

// Cuts buffers out of one region; with no region it only counts.
struct Carver {
  uintptr_t next;
  template <class T>
  T* take(int64_t count) {
    T* const taken = (T*)next;
    next += roundUp(count * (int64_t)sizeof(T), 64);
    return taken;
  }
};

}  // namespace RF_NS
}  // namespace rectiflow
