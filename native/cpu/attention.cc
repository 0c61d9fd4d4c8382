// Multi-head attention, o = softmax(q k^T / sqrt(d)) v for each head of width d = D/H, of a sequence to itself or to another.
//
//   attention: qkv [B, N, 3D], last axis (3, H, d) -> o [B, N, D], lse [B, H, N], the natural log-sum-exp of the scaled scores
//   crossAttention: q [B, N, D], kv [B, M, 2D], last axis (2, H, d), lengths [B] -> the same, from the first lengths[b] of the
//   M keys of image b. The others are not read. Without any, o and lse are 0.
//
// The N x M scores never exist as a whole: a tile of queries meets the keys a block at a time, keeping a running maximum and a
// running sum of exponentials (Dao et al. 2022, FlashAttention, algorithm 1). Tiles hold the scores transposed, S^T = k q^T,
// so that a lane belongs to one query: maximum, exponential and sum are plain vector operations, and the probabilities are
// already laid out as the left operand of the product with v. k and v are copied or packed once per head.
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

// A tile of scores takes half of a first-level cache of 32 KiB.
constexpr int64_t kQueryTile = kHeadCols < 32 ? 32 / kHeadCols * kHeadCols : kHeadCols;
constexpr int64_t kKeyBlock = 128;

template <class P>
struct AttentionBuffers {
  P *keys, *values, *queries;
  float *scores, *out, *top, *total, *decay;
  size_t bytes;

  AttentionBuffers(void* memory, int64_t M, int64_t d) {
    Carver carver{(uintptr_t)memory};
    keys = carver.take<P>(copiedUnits<P>(M, d));
    values = carver.take<P>(panelUnits<P>(d, M));
    queries = carver.take<P>(panelUnits<P>(kQueryTile, d));
    scores = carver.take<float>(kKeyBlock * kQueryTile);
    out = carver.take<float>(kQueryTile * roundUp(d, kLanes));
    top = carver.take<float>(kQueryTile);
    total = carver.take<float>(kQueryTile);
    decay = carver.take<float>(kQueryTile);
    bytes = carver.next - (uintptr_t)memory;
  }
};

// Turns V vectors of columns of a tile of scores [keys, kQueryTile] into units of probabilities relative to the largest score
// so far, in base 2. Updates the running maximum `top` and sum `total` of each column; `decay` is what earlier probabilities
// shrink by.
template <class P, int V>
static RF_INLINE void softmaxColumns(float* scores, int64_t keys, float scale, float* top, float* total, float* decay) {
  vf largest[2][V], now[V], sum[V];
  for (int v = 0; v < V; v++) largest[0][v] = largest[1][v] = load(scores + v * kLanes);
  for (int64_t j = 0; j < keys; j += 2) {
    const float *even = scores + j * kQueryTile, *odd = j + 1 < keys ? even + kQueryTile : even;
#pragma GCC unroll 4
    for (int v = 0; v < V; v++) {
      largest[0][v] = vmax(largest[0][v], load(even + v * kLanes));
      largest[1][v] = vmax(largest[1][v], load(odd + v * kLanes));
    }
  }
  for (int v = 0; v < V; v++) {
    const vf before = load(top + v * kLanes);
    now[v] = vmax(before, scale * vmax(largest[0][v], largest[1][v]));
    const vf shrink = vexp2For<P>(before - now[v]);
    sum[v] = load(total + v * kLanes) * shrink;
    store(top + v * kLanes, now[v]);
    store(decay + v * kLanes, shrink);
  }
  const auto probability = [&](int64_t j, int v) {
    const vf p = vexp2For<P>(load(scores + j * kQueryTile + v * kLanes) * scale - now[v]);
    sum[v] += p;
    return p;
  };
  if constexpr (kUnitSize<P> == 1) {
    for (int64_t j = 0; j < keys; j++)
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) store(scores + j * kQueryTile + v * kLanes, probability(j, v));
  } else {
    // A row of pairs takes the place of a row of scores that has been read.
    const auto storePairs = [&](int64_t j, int v, vf even, vf odd) {
      *(vu_unaligned*)(scores + j / 2 * kQueryTile + v * kLanes) = interleave(even, odd);
    };
    for (int64_t j = 0; j + 1 < keys; j += 2)
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) {
        const vf even = probability(j, v), odd = probability(j + 1, v);
        storePairs(j, v, even, odd);
      }
    if (keys % 2)
      for (int v = 0; v < V; v++) storePairs(keys - 1, v, probability(keys - 1, v), (vf){});
  }
  for (int v = 0; v < V; v++) store(total + v * kLanes, sum[v]);
}

// The same for the whole tile, two vectors at a time: their chains of dependent instructions fill each other's gaps.
template <class P>
static void softmaxTile(const AttentionBuffers<P>& b, int64_t keys, int64_t width, float scale) {
  int64_t v = 0;
  for (; v + 2 * kLanes <= width; v += 2 * kLanes)
    softmaxColumns<P, 2>(b.scores + v, keys, scale, b.top + v, b.total + v, b.decay + v);
  if (v < width) softmaxColumns<P, 1>(b.scores + v, keys, scale, b.top + v, b.total + v, b.decay + v);
}

// The output of queries [from, from + count), count <= kQueryTile, in buffers.out before its division by buffers.total.
template <class P>
static void attendTile(const HeadRows& q, int64_t from, int64_t count, int64_t M, int64_t d, Rows<P> keys, Panels<P> values,
                       const AttentionBuffers<P>& buffers, Fetcher& fetcher) {
  const float scale = kLog2e / __builtin_sqrtf((float)d);
  const int64_t width = roundUp(count, kLanes), ld = roundUp(d, kLanes);
  const Panels<P> queries = packTokens(q, from, count, d, buffers.queries);
  const Rows<P> probabilities = {(const P*)buffers.scores, 1, kQueryTile};
  for (int64_t i = 0; i < width; i++) {
    buffers.top[i] = -INFINITY;
    buffers.total[i] = 0;
  }
  const int64_t block = evenBlock(M, kKeyBlock, 2);
  for (int64_t key = 0; key < M; key += block) {
    const int64_t size = min64(block, M - key);
    multiplyHead(size, width, d, keys.from(key), queries, Result{buffers.scores, kQueryTile, false, nullptr},
                 [&] { fetcher.step(); });
    softmaxTile(buffers, size, width, scale);
    multiplyHead(count, ld, size, probabilities, values.from(0, key), Result{buffers.out, ld, key > 0, buffers.decay});
  }
}

template <class P>
static void attend(Pool* pool, const AttentionTensors& in, const Tensor& o, const Tensor& lse) {
  const int64_t N = in.queries.shape[1], d = in.d, allHeads = in.allHeads();
  // Several items per thread even out their times, while each has enough queries to pay for packing the keys and values.
  const int64_t wanted = ceilDiv(4 * pool->threads(), allHeads);
  const int64_t run = roundUp(max64(ceilDiv(N, wanted), min64(N, 4 * kQueryTile)), kQueryTile), runs = ceilDiv(N, run);
  parallelUnits(pool, allHeads * runs, 2 * run * in.keysValues.shape[1] * d, [&](int64_t unit, int64_t next, int thread) {
    const int64_t head = unit / runs, first = unit % runs * run, end = min64(N, first + run);
    const HeadRows q = in.q(head), k = in.k(head), out = in.rows(o, head, 0);
    const int64_t M = k.tokens;
    float* const logSum = (float*)lse.data + head * N;
    if (M == 0) {
      clearTokens(out, first, end, d);
      for (int64_t i = first; i < end; i++) logSum[i] = 0;
      return;
    }
    const AttentionBuffers<P> buffers(pool->scratch(thread, AttentionBuffers<P>(nullptr, M, d).bytes), M, d);
    const bool another = next / runs < allHeads && next / runs != head;
    const int64_t nextHead = another ? next / runs : head;
    const HeadRows ahead[] = {in.rows(o, nextHead, 0), in.q(nextHead), in.k(nextHead), in.v(nextHead)};
    Fetcher fetcher(ahead, another ? 4 : 0, d, ceilDiv(run, kHeadCols) * ceilDiv(M, kHeadRows));
    const Rows<P> keys = copyTokens(k, 0, M, d, buffers.keys);
    const Panels<P> values = packFeatures(in.v(head), 0, M, d, buffers.values);
    for (int64_t from = first; from < end; from += kQueryTile) {
      const int64_t count = min64(kQueryTile, N - from);
      attendTile(q, from, count, M, d, keys, values, buffers, fetcher);
      storeTokens(out, from, count, d, buffers.out, roundUp(d, kLanes), [&](int64_t t) { return 1.f / buffers.total[t]; });
      for (int64_t i = 0; i < count; i++) logSum[from + i] = kLn2 * buffers.top[i] + __builtin_logf(buffers.total[i]);
    }
  });
}

static void attend(const Call& call, const AttentionTensors& in) {
  const Tensor &o = call.outputs[0], &lse = call.outputs[1];
  if (in.low()) return attend<LowPacked>(call.pool, in, o, lse);
  attend<float>(call.pool, in, o, lse);
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
