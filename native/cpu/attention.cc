// Multi-head self-attention, o = softmax(q k^T / sqrt(d)) v for each head of width d = D/H.
//
//   qkv [B, N, 3D], last axis (3, H, d) -> o [B, N, D], lse [B, H, N], the natural log-sum-exp of the scaled scores
//
// The N x N scores never exist as a whole: a tile of queries meets the keys a block at a time, keeping a running maximum and a
// running sum of exponentials (Dao et al. 2022, FlashAttention, algorithm 1). Tiles hold the scores transposed, S^T = k q^T,
// so that a lane belongs to one query: maximum, exponential and sum are plain vector operations, and the probabilities are
// already laid out as the left operand of the product with v. k and v are copied or packed once per head.
//
// bf16 qkv is multiplied as bf16 where the instruction set can, the probabilities being rounded to bf16; scores, statistics
// and sums are float32 throughout.
//
// Work items are heads, or runs of a head's queries where heads are few. A query's result does not depend on the others.
#include "attention.h"

namespace rectiflow {
namespace RF_NS {

// A tile of scores takes half of a first-level cache of 32 KiB. Powers of two split into a few blocks with few odd rows.
constexpr int64_t kQueryTile = kTileCols < 32 ? 32 / kTileCols * kTileCols : kTileCols;
constexpr int64_t kKeyBlock = 4224 / kQueryTile / kTileRows * kTileRows;

template <class P>
struct AttentionBuffers {
  P *keys, *values, *queries;
  float *scores, *out, *top, *total, *decay;
  size_t bytes;

  AttentionBuffers(void* memory, int64_t N, int64_t d) {
    Carver carver{(uintptr_t)memory};
    keys = carver.take<P>(copiedUnits(N, d));
    values = (P*)carver.take<char>(packedColsBytes<P>(d, N));
    queries = (P*)carver.take<char>(packedColsBytes<P>(kQueryTile, d));
    scores = carver.take<float>(kKeyBlock * kQueryTile);
    out = carver.take<float>(kQueryTile * roundUp(d, kLanes));
    top = carver.take<float>(kQueryTile);
    total = carver.take<float>(kQueryTile);
    decay = carver.take<float>(kQueryTile);
    bytes = carver.next - (uintptr_t)memory;
  }
};

// Turns a tile of scores [keys, width] into units of probabilities relative to the largest score so far, in base 2. Updates
// the running maximum `top` and sum `total` of each column; `decay` is what earlier probabilities shrink by.
template <class P>
static void softmaxTile(float* scores, int64_t keys, int64_t width, float scale, float* top, float* total, float* decay) {
  for (int64_t v = 0; v < width; v += kLanes) {
    float* column = scores + v;
    vf largest[4];
    for (int i = 0; i < 4; i++) largest[i] = load(column);
    int64_t j = 0;
    for (; j + 4 <= keys; j += 4)
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) largest[i] = vmax(largest[i], load(column + (j + i) * kQueryTile));
    for (; j < keys; j++) largest[0] = vmax(largest[0], load(column + j * kQueryTile));
    const vf before = load(top + v);
    const vf now = vmax(before, scale * vmax(vmax(largest[0], largest[1]), vmax(largest[2], largest[3])));
    const vf shrink = vexp2(before - now);
    vf sum = load(total + v) * shrink;
    if constexpr (kUnitSize<P> == 1) {
      for (j = 0; j < keys; j++) {
        const vf p = vexp2(load(column + j * kQueryTile) * scale - now);
        store(column + j * kQueryTile, p);
        sum += p;
      }
    } else {
      // A row of pairs takes the place of a row of scores that has been read.
      for (j = 0; j < keys; j += 2) {
        const vf even = vexp2(load(column + j * kQueryTile) * scale - now);
        const vf odd = j + 1 < keys ? vexp2(load(column + (j + 1) * kQueryTile) * scale - now) : (vf){};
        *(vu_unaligned*)(column + j / 2 * kQueryTile) = interleave(even, odd);
        sum += even + odd;
      }
    }
    store(top + v, now);
    store(total + v, sum);
    store(decay + v, shrink);
  }
}

// The output of queries [from, from + count), count <= kQueryTile, in buffers.out before its division by buffers.total.
template <class P>
static void attendTile(const HeadRows& q, int64_t from, int64_t count, int64_t N, int64_t d, Left<P> keys, Right<P> values,
                       const AttentionBuffers<P>& buffers) {
  const float scale = kLog2e / __builtin_sqrtf((float)d);
  const int64_t width = roundUp(count, kLanes), ld = roundUp(d, kLanes);
  const Right<P> queries = packTokens(q, from, count, d, buffers.queries);
  const Left<P> probabilities = {(const P*)buffers.scores, kTileRows, 1, kQueryTile};
  for (int64_t i = 0; i < width; i++) {
    buffers.top[i] = -INFINITY;
    buffers.total[i] = 0;
  }
  const int64_t block = evenBlock(N, kKeyBlock, kTileRows);
  for (int64_t key = 0; key < N; key += block) {
    const int64_t size = min64(block, N - key);
    const Left<P> someKeys = {keys.data + key * keys.rowStride, keys.tileStride, keys.rowStride, keys.unitStride};
    multiply(size, width, d, someKeys, queries, buffers.scores, kQueryTile, false);
    softmaxTile<P>(buffers.scores, size, width, scale, buffers.top, buffers.total, buffers.decay);
    if (key)
      for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < ld; j += kLanes)
          store(buffers.out + i * ld + j, buffers.decay[i] * load(buffers.out + i * ld + j));
    multiply(count, ld, size, probabilities, part(values, 0, key), buffers.out, ld, key > 0);
  }
}

template <class P>
static void attentionTyped(const Call& call, int64_t heads) {
  const Tensor &qkv = call.inputs[0], &o = call.outputs[0], &lse = call.outputs[1];
  const int64_t images = qkv.shape[0], N = qkv.shape[1], D = qkv.shape[2] / 3, d = D / heads;
  // Several items per thread even out their times, while each has enough queries to pay for packing the keys and values.
  const int64_t wanted = ceilDiv(4 * call.pool->threads(), images * heads);
  const int64_t run = roundUp(max64(ceilDiv(N, wanted), min64(N, 4 * kQueryTile)), kQueryTile), runs = ceilDiv(N, run);
  parallelUnits(call.pool, images * heads * runs, 2 * run * N * d, [&](int64_t unit, int thread) {
    const int64_t head = unit / runs % heads, image = unit / runs / heads, first = unit % runs * run;
    const AttentionBuffers<P> buffers(call.pool->scratch(thread, AttentionBuffers<P>(nullptr, N, d).bytes), N, d);
    const HeadRows out(o, image, head * d);
    const Left<P> keys = copyTokens(HeadRows(qkv, image, D + head * d), 0, N, d, buffers.keys);
    const Right<P> values = packFeatures(HeadRows(qkv, image, 2 * D + head * d), 0, N, d, buffers.values);
    float* logSum = (float*)lse.data + (image * heads + head) * N;
    for (int64_t from = first; from < min64(N, first + run); from += kQueryTile) {
      const int64_t count = min64(kQueryTile, N - from);
      attendTile(HeadRows(qkv, image, head * d), from, count, N, d, keys, values, buffers);
      storeTokens(out, from, count, d, buffers.out, roundUp(d, kLanes), [&](int64_t t) { return 1.f / buffers.total[t]; });
      for (int64_t i = 0; i < count; i++) logSum[from + i] = kLn2 * buffers.top[i] + __builtin_logf(buffers.total[i]);
    }
  });
}

static void attentionKernel(const Call& call) {
  const int64_t heads = (int64_t)call.number("heads", 1);
  if (call.inputs[0].dtype == DType::BFloat16) return attentionTyped<LowPacked>(call, heads);
  attentionTyped<float>(call, heads);
}

}  // namespace RF_NS
}  // namespace rectiflow
