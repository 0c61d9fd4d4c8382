// What attention and its gradient share: where heads lie, their fetching ahead of use, scratch memory, and the order of the work.
#pragma once
#include "attention_rows.h"
#include "exp2.h"

namespace rectiflow {
namespace RF_NS {

constexpr float kLog2e = 1.44269504f, kLn2 = 0.693147181f;

// The length of a block, a multiple of `multiple`, when `total` is cut into blocks as equal as can be of at most `most`.
static RF_INLINE int64_t evenBlock(int64_t total, int64_t most, int64_t multiple) {
  return roundUp(ceilDiv(total, ceilDiv(total, most)), multiple);
}

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
// as a third of its products. Asked for all at once, most requests are dropped. Heads follow each other, so that a step is a
// handful of instructions: it shares the processor with exponentials.
struct Fetcher {
  const HeadRows *head, *end;
  const char* row = nullptr;
  int64_t rows = 0, stride = 0, bytes, second, every, perStep, wait = 0;

  // The tokens of `count` heads of width d, spread over `steps` calls: far ahead of their use they would be evicted again.
  Fetcher(const HeadRows* heads, int64_t count, int64_t d, int64_t steps)
      : head(heads), end(heads + count), bytes(d * heads->size()), second(min64(64, bytes - 1)) {
    int64_t all = 0;
    for (int64_t i = 0; i < count; i++) all += heads[i].tokens;
    every = max64(1, steps / max64(1, all));
    perStep = ceilDiv(all, max64(1, steps));
  }

  RF_INLINE void step() {
    if (++wait < every) return;
    wait = 0;
    for (int64_t i = 0; i < perStep; i++) {
      if (rows == 0 && !nextHead()) return;
      rows--;
      // Two lines, which most rows have, and what there is beyond.
      __builtin_prefetch(row, 0, 2);
      __builtin_prefetch(row + second, 0, 2);
      for (int64_t byte = 128; byte < bytes; byte += 64) __builtin_prefetch(row + byte, 0, 2);
      row += stride;
    }
  }

 private:
  RF_INLINE bool nextHead() {
    while (head < end && head->tokens == 0) head++;
    if (head == end) return false;
    row = head->data;
    rows = head->tokens;
    stride = head->stride * head->size();
    head++;
    return true;
  }
};

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
