// Multi-head attention, o = softmax(q k^T / sqrt(d)) v for each head of width d = D/H, of a sequence to itself or to another.
//
//   attention: qkv [B, N, 3D], last axis (3, H, d) -> o [B, N, D], lse [B, H, N], the natural log-sum-exp of the scaled scores
//   crossAttention: q [B, N, D], kv [B, M, 2D], last axis (2, H, d), lengths [B] -> the same, from the first lengths[b] of the
//   M keys of image b. The others are not read. Without any, o and lse are 0.
//
// The N x M scores never exist as a whole: a tile of queries meets the keys a block at a time, keeping a running sum of
// exponentials. Tiles hold the scores transposed, S^T = k q^T, so that a lane belongs to one query: exponential and sum are plain
// vector operations, and the probabilities are already laid out as the left operand of the product with v. k and v are copied or
// packed once per head.
//
// Softmax needs its maximum only to stay within the range of float32. Scores mostly do: so the exponentials are taken of the
// scores themselves, as soon as a register tile of them is done and beside the products of the next one. Where a query's sum
// shows that they were too large or too small, its tile is done again, with the maximum taken out.
//
// bf16 operands are multiplied as bf16 where the instruction set can, the probabilities being rounded to bf16; scores, statistics
// and sums are float32 throughout.
//
// The rows of the next head are fetched, and those of the output claimed, while this head is multiplied.
//
// Work items are heads, or runs of a head's queries where heads are few. A query's result does not depend on the others.
#include "attention.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kQueryTile = kHeadCols < 32 ? 32 / kHeadCols * kHeadCols : kHeadCols;
// A tile of probabilities takes a third of a first-level cache of 48 KiB.
template <class P>
constexpr int64_t kKeyBlock = 128 / kScoreRows * kScoreRows * kUnitSize<P>;
// What a query's sum of exponentials may be, without a shift of its scores, for none of them to have been lost.
constexpr float kSmallestTotal = 0x1p-60f, kLargestTotal = 0x1p60f;

template <class P>
struct AttentionBuffers {
  P *keys, *values, *queries, *probabilities;
  float *scores, *out, *shift, *total;
  size_t bytes;

  AttentionBuffers(void* memory, int64_t M, int64_t d) {
    Carver carver{(uintptr_t)memory};
    keys = carver.take<P>(copiedUnits<P>(roundUp(M, kScoreRows), d));
    values = carver.take<P>(panelUnits<P>(d, M));
    queries = carver.take<P>(panelUnits<P>(kQueryTile, d));
    probabilities = carver.take<P>(kKeyBlock<P> / kUnitSize<P> * kQueryTile);
    scores = carver.take<float>(kKeyBlock<P> * kQueryTile);
    out = carver.take<float>(kQueryTile * roundUp(d, kLanes));
    shift = carver.take<float>(kQueryTile);
    total = carver.take<float>(kQueryTile);
    bytes = carver.next - (uintptr_t)memory;
  }
};

// Scores of a block of `keys` keys become probabilities p = 2^(scale (s - shift)), and are added to each query's total. A key past
// the end has none. The difference is taken before it is scaled: of the largest score it is 0 then, and not the rounding of 1e10.
// All work beside products counts: where another thread shares the core, by the instruction.
template <class P>
struct ToProbabilities {
  P* probabilities;
  const float* shift;
  float* total;
  float scale;
  int64_t keys;

  // V vectors of columns. Probabilities are made of a tile while the products of the next one run.
  template <int V, bool shifted>
  __attribute__((noinline)) void columns(int64_t units, Rows<P> a, const P* b, int64_t column, Fetcher& fetcher) const {
    alignas(64) float staged[kScoreRows * V * kLanes];
    const float scale = this->scale;
    vf sum[V], less[V];
    for (int v = 0; v < V; v++) {
      sum[v] = (vf){};
      less[v] = load(shift + column + v * kLanes);
    }
    const auto probability = [&](const float* score, int v) RF_ALWAYS_INLINE {
      const vf difference = shifted ? load(score) - less[v] : load(score);
      return vexp2For<kUnitSize<P> == 2>(bounded(difference * scale));
    };
    // `to` is the row of probabilities of the first of two keys.
    const auto pairOf = [&](P* to, int64_t i, int v, bool hasOdd) RF_ALWAYS_INLINE {
      const float* const scores = staged + (i * V + v) * kLanes;
      const vf even = probability(scores, v), odd = hasOdd ? probability(scores + V * kLanes, v) : (vf){};
      sum[v] += even + odd;
      if constexpr (kUnitSize<P> == 2) {
        *(vu_unaligned*)(to + v * kLanes) = interleave(even, odd);
      } else {
        store(to + v * kLanes, even);
        store(to + v * kLanes + kQueryTile, odd);
      }
    };
    constexpr int64_t kPairStride = 2 * kQueryTile / kUnitSize<P>;
    P* to = probabilities + column;
    for (int64_t row = 0; row < keys; row += kScoreRows) {
      const Rows<P> tile = a.from(row);
      scoreTile<P, V>(units, tile.data, tile.rowStride, b, staged, row ? kScoreRows / 2 : 0, [&](int64_t i) RF_ALWAYS_INLINE {
        fetcher.step();
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) pairOf(to, 2 * i, v, true);
        to += kPairStride;
      });
    }
    const int64_t rest = keys - (keys - 1) / kScoreRows * kScoreRows;
    for (int64_t i = 0; i < rest; i += 2, to += kPairStride) {
      fetcher.step();
      for (int v = 0; v < V; v++) pairOf(to, i, v, i + 1 < rest);
    }
    for (int v = 0; v < V; v++) store(total + column + v * kLanes, sum[v] + load(total + column + v * kLanes));
  }

 private:
  // vexp2 overflows to infinity on AVX-512 alone.
  static RF_INLINE vf bounded(vf x) {
#if RF_LANES == 16 && defined(__AVX512DQ__)
    return x;
#else
    return vmin(splat(127.f), x);
#endif
  }
};

// One tile of queries: what its passes over the keys share.
template <class P>
struct QueryTile {
  int64_t count, M, d;
  Rows<P> keys;
  Panels<P> values, queries;
  const AttentionBuffers<P>& buffers;

  int64_t width() const { return roundUp(count, kLanes); }
  float scale() const { return kLog2e / __builtin_sqrtf((float)d); }
};

// buffers.out and buffers.total from the keys, scores being shifted by buffers.shift, or not.
template <bool shifted, class P>
static void attendTile(const QueryTile<P>& tile, Fetcher& fetcher) {
  const AttentionBuffers<P>& b = tile.buffers;
  const int64_t width = tile.width(), ld = roundUp(tile.d, kLanes), block = evenBlock(tile.M, kKeyBlock<P>, kScoreRows);
  const Rows<P> probabilities = {b.probabilities, 1, kQueryTile};
  for (int64_t i = 0; i < width; i++) b.total[i] = 0;
  for (int64_t key = 0; key < tile.M; key += block) {
    const int64_t size = min64(block, tile.M - key);
    const ToProbabilities<P> finish = {b.probabilities, b.shift, b.total, tile.scale(), size};
    for (int64_t column = 0; column < width; column += kHeadCols) {
      const P* const queries = tile.queries.from(column, 0).data;
      if (width - column < kHeadCols)
        finish.template columns<1, shifted>(unitsOf<P>(tile.d), tile.keys.from(key), queries, column, fetcher);
      else
        finish.template columns<kHeadVectors, shifted>(unitsOf<P>(tile.d), tile.keys.from(key), queries, column, fetcher);
    }
    multiplyHead(tile.count, ld, size, probabilities, tile.values.from(0, key), Result{b.out, ld, key > 0});
  }
}

// Whether a total is what no shift was needed for.
static RF_INLINE bool isSound(float total) { return total >= kSmallestTotal && total <= kLargestTotal; }

// Sets the shifts of queries whose totals are not sound to their largest scores.
template <class P>
static void findShifts(const QueryTile<P>& tile) {
  const AttentionBuffers<P>& b = tile.buffers;
  const int64_t width = tile.width();
  float largest[kQueryTile];
  for (int64_t i = 0; i < width; i++) largest[i] = -INFINITY;
  for (int64_t key = 0; key < tile.M; key += kKeyBlock<P>) {
    const int64_t size = min64(kKeyBlock<P>, tile.M - key);
    multiplyHead(size, width, tile.d, tile.keys.from(key), tile.queries, Result{b.scores, kQueryTile, false});
    for (int64_t i = 0; i < width; i += kLanes) {
      vf top = load(largest + i);
      for (int64_t j = 0; j < size; j++) top = vmax(load(b.scores + j * kQueryTile + i), top);
      store(largest + i, top);
    }
  }
  for (int64_t i = 0; i < width; i++)
    if (!isSound(b.total[i])) b.shift[i] = largest[i];
}

// The output of queries [from, from + count), count <= kQueryTile, in buffers.out before its division by buffers.total.
template <class P>
static void attendQueries(const QueryTile<P>& tile, Fetcher& fetcher) {
  bool sound = true;
  for (int64_t i = 0; i < tile.width(); i++) tile.buffers.shift[i] = 0;
  attendTile<false>(tile, fetcher);
  for (int64_t i = 0; i < tile.count; i++) sound = sound && isSound(tile.buffers.total[i]);
  if (sound) return;
  findShifts(tile);
  attendTile<true>(tile, fetcher);
}

template <class P>
static void attend(const Call& call, const AttentionTensors& in) {
  const Tensor &o = call.outputs[0], &lse = call.outputs[1];
  const int64_t N = in.queries.shape[1], d = in.d, allHeads = in.allHeads();
  if (!call.reserve(0, AttentionBuffers<P>(nullptr, in.keysValues.shape[1], d).bytes)) return;
  // Several items per thread even out their times, while each has enough queries to pay for packing the keys and values.
  const int64_t wanted = ceilDiv(4 * call.pool->threads(), allHeads);
  const int64_t run = roundUp(max64(ceilDiv(N, wanted), min64(N, 4 * kQueryTile)), kQueryTile), runs = ceilDiv(N, run);
  parallelUnits(call.pool, allHeads * runs, 2 * run * in.keysValues.shape[1] * d, [&](int64_t unit, int64_t next, int thread) {
    const int64_t head = unit / runs, first = unit % runs * run, end = min64(N, first + run);
    const HeadRows q = in.q(head), k = in.k(head), out = in.rows(o, head, 0);
    const int64_t M = k.tokens;
    float* const logSum = (float*)lse.data + head * N;
    if (M == 0) {
      clearTokens(out, first, end, d);
      for (int64_t i = first; i < end; i++) logSum[i] = 0;
      return;
    }
    const AttentionBuffers<P> buffers(call.own(thread), M, d);
    const bool another = next / runs < allHeads && next / runs != head;
    const int64_t nextHead = another ? next / runs : head;
    const HeadRows ahead[] = {in.rows(o, nextHead, 0), in.q(nextHead), in.k(nextHead), in.v(nextHead)};
    Fetcher fetcher(ahead, another ? 4 : 0, d, ceilDiv(run, kHeadCols) * ceilDiv(M, 2));
    const Rows<P> keys = copyTokens(k, 0, M, d, buffers.keys);
    const Panels<P> values = packFeatures(in.v(head), 0, M, d, buffers.values);
    for (int64_t from = first; from < end; from += kQueryTile) {
      const int64_t count = min64(kQueryTile, N - from);
      const Panels<P> queries = packTokens(q, from, count, d, buffers.queries);
      const QueryTile<P> tile = {count, M, d, keys, values, queries, buffers};
      attendQueries(tile, fetcher);
      storeTokens(out, from, count, d, buffers.out, roundUp(d, kLanes), [&](int64_t t) { return 1.f / buffers.total[t]; });
      for (int64_t i = 0; i < count; i++) 
        logSum[from + i] = kLn2 * tile.scale() * buffers.shift[i] + __builtin_logf(buffers.total[i]);
    }
  });
}

static void attend(const Call& call, const AttentionTensors& in) {
  if (in.low()) return attend<LowPacked>(call, in);
  attend<float>(call, in);
}

static void attentionKernel(const Call& call) {
  attend(call, AttentionTensors(call.inputs[0], (int64_t)call.number("heads", 1)));
}

static void crossAttentionKernel(const Call& call) {
  const int32_t* const lengths = (const int32_t*)call.inputs[2].data;
  attend(call, AttentionTensors(call.inputs[0], call.inputs[1], lengths, (int64_t)call.number("heads", 1)));
}

}  // namespace RF_NS
}  // namespace rectiflow
