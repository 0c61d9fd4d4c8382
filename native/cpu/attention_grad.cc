// The gradient of attention (attention.cc), which stores none of its probabilities.
//
//   qkv [B, N, 3D], o [B, N, D], lse [B, H, N], do [B, N, D] -> dqkv [B, N, 3D]
//   p = exp(s - lse), dv = p^T do, ds = p (do v^T - delta), delta = sum of o do, dq = ds k / sqrt(d), dk = ds^T q / sqrt(d)
//
// A block of keys meets all blocks of queries (Dao et al. 2022, FlashAttention, algorithm 4): five products per pair of blocks,
// whose tiles of p and ds stay in the second-level cache. As in the forward pass a tile is transposed, a lane to a query, so
// lse and delta are vectors. Row by row, the tiles are the left operands of dv and dk; column by column, that of dq.
//
// One work item is one head, which owns its part of dqkv; blocks follow each other in a fixed order.
#include "attention.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kGradKeys = 132 / kTileRows * kTileRows;
constexpr int64_t kGradQueries = 128 / kTileCols * kTileCols;
// One vector more than a power of two, so that the rows of a tile spread over the sets of the cache.
constexpr int64_t kGradStride = kGradQueries + 16;

template <class P>
struct AttentionGradBuffers {
  P *queryTokens, *queryFeatures, *gradTokens, *gradFeatures;  // of the whole head
  P *keys, *values, *keyFeatures;                              // of a block of keys
  P* pairs;
  float *p, *ds, *lse, *delta, *dq, *dk, *dv;
  size_t bytes;

  AttentionGradBuffers(void* memory, int64_t N, int64_t d) {
    Carver carver{(uintptr_t)memory};
    const int64_t keyBlock = min64(N, kGradKeys), padded = roundUp(d, kLanes);
    queryTokens = (P*)carver.take<char>(packedColsBytes<P>(N, d));
    gradTokens = (P*)carver.take<char>(packedColsBytes<P>(N, d));
    queryFeatures = (P*)carver.take<char>(packedColsBytes<P>(d, N));
    gradFeatures = (P*)carver.take<char>(packedColsBytes<P>(d, N));
    keys = carver.take<P>(copiedUnits(keyBlock, d));
    values = carver.take<P>(copiedUnits(keyBlock, d));
    keyFeatures = (P*)carver.take<char>(packedColsBytes<P>(d, keyBlock));
    p = carver.take<float>(kGradKeys * kGradStride);
    ds = carver.take<float>(kGradKeys * kGradStride);
    pairs = carver.take<P>(kUnitSize<P> == 1 ? 0 : kGradKeys / 2 * kGradStride);
    lse = carver.take<float>(roundUp(N, kLanes));
    delta = carver.take<float>(roundUp(N, kLanes));
    dq = carver.take<float>(N * padded);
    dk = carver.take<float>(keyBlock * padded);
    dv = carver.take<float>(keyBlock * padded);
    bytes = carver.next - (uintptr_t)memory;
  }
};

// delta[t] = sum over the head's elements of o do
static void sumProducts(const HeadRows& o, const HeadRows& gradient, int64_t N, int64_t d, float* delta) {
  o.visit(0, [&](auto* a) {
    gradient.visit(0, [&](auto* b) {
      for (int64_t t = 0; t < N; t++) {
        vf sum = {};
        for (int64_t j = 0; j < d; j += kLanes)
          sum += loadPartial(a + t * o.stride + j, d - j) * loadPartial(b + t * gradient.stride + j, d - j);
        delta[t] = sumLanes(sum);
      }
    });
  });
}

// From a tile of scores in p and of do v^T in ds, [keys, width] starting at a column of the block, the units of p and ds in
// place. Pairs along the queries fill a row to its half, never past the column that is being read; pairs along the keys, which
// the product for dq needs, go to a tile of their own.
template <class P>
static void gradientTile(float* p, float* ds, P* pairs, int64_t column, int64_t keys, int64_t width, float scale,
                         const float* lse, const float* delta) {
  for (int64_t v = column; v < column + width; v += kLanes) {
    const vf norm = load(lse + v), mean = load(delta + v);
    if constexpr (kUnitSize<P> == 1) {
      for (int64_t j = 0; j < keys; j++) {
        float *pRow = p + j * kGradStride + v, *dsRow = ds + j * kGradStride + v;
        const vf probability = vexp2(load(pRow) * scale - norm);
        store(pRow, probability);
        store(dsRow, probability * (load(dsRow) - mean));
      }
    } else {
      for (int64_t j = 0; j < keys; j += 2) {
        vf gradient[2] = {};
        for (int64_t i = 0; i < min64(2, keys - j); i++) {
          float *pRow = p + (j + i) * kGradStride, *dsRow = ds + (j + i) * kGradStride;
          const vf probability = vexp2(load(pRow + v) * scale - norm);
          gradient[i] = probability * (load(dsRow + v) - mean);
          store((bf16*)pRow + v, probability);
          store((bf16*)dsRow + v, gradient[i]);
        }
        *(vu_unaligned*)(pairs + j / 2 * kGradStride + v) = interleave(gradient[0], gradient[1]);
      }
    }
  }
}

template <class P>
static void attentionGradHead(const HeadRows (&qkv)[3], const HeadRows& gradient, const HeadRows (&dqkv)[3], int64_t N,
                              int64_t d, const AttentionGradBuffers<P>& b) {
  const float rootScale = 1.f / __builtin_sqrtf((float)d);
  const auto unscaled = [](int64_t) { return 1.f; };
  const auto scaled = [&](int64_t) { return rootScale; };
  const int64_t ld = roundUp(d, kLanes);
  const Right<P> queryTokens = packTokens(qkv[0], 0, N, d, b.queryTokens);
  const Right<P> queryFeatures = packFeatures(qkv[0], 0, N, d, b.queryFeatures);
  const Right<P> gradTokens = packTokens(gradient, 0, N, d, b.gradTokens);
  const Right<P> gradFeatures = packFeatures(gradient, 0, N, d, b.gradFeatures);
  const Left<P> pRows = rowMajorLeft((const P*)b.p, kGradStride), dsRows = rowMajorLeft((const P*)b.ds, kGradStride);
  const Left<P> dsColumns = {kUnitSize<P> == 1 ? (const P*)b.ds : b.pairs, kTileRows, 1, kGradStride};
  const int64_t keyBlock = evenBlock(N, kGradKeys, kTileRows), queryBlock = evenBlock(N, kGradQueries, kTileCols);

  for (int64_t key = 0; key < N; key += keyBlock) {
    const int64_t keys = min64(keyBlock, N - key);
    const Left<P> keyRows = copyTokens(qkv[1], key, keys, d, b.keys);
    const Left<P> valueRows = copyTokens(qkv[2], key, keys, d, b.values);
    const Right<P> keyFeatures = packFeatures(qkv[1], key, keys, d, b.keyFeatures);
    for (int64_t query = 0; query < N; query += queryBlock) {
      const int64_t queries = min64(queryBlock, N - query), width = roundUp(queries, kLanes);
      for (int64_t column = 0; column < width; column += kTileCols) {
        const int64_t columns = min64(kTileCols, width - column);
        multiply(keys, columns, d, keyRows, part(queryTokens, query + column, 0), b.p + column, kGradStride, false);
        multiply(keys, columns, d, valueRows, part(gradTokens, query + column, 0), b.ds + column, kGradStride, false);
        gradientTile(b.p, b.ds, b.pairs, column, keys, columns, kLog2e * rootScale, b.lse + query, b.delta + query);
      }
      multiply(keys, ld, queries, pRows, part(gradFeatures, 0, query), b.dv, ld, query > 0);
      multiply(keys, ld, queries, dsRows, part(queryFeatures, 0, query), b.dk, ld, query > 0);
      multiply(queries, ld, keys, dsColumns, keyFeatures, b.dq + query * ld, ld, key > 0);
    }
    storeTokens(dqkv[2], key, keys, d, b.dv, ld, unscaled);
    storeTokens(dqkv[1], key, keys, d, b.dk, ld, scaled);
  }
  storeTokens(dqkv[0], 0, N, d, b.dq, ld, scaled);
}

template <class P>
static void attentionGradTyped(const Call& call, int64_t heads) {
  const Tensor &qkv = call.inputs[0], &o = call.inputs[1], &lse = call.inputs[2], &gradient = call.inputs[3];
  const Tensor& dqkv = call.outputs[0];
  const int64_t images = qkv.shape[0], N = qkv.shape[1], D = qkv.shape[2] / 3, d = D / heads;
  parallelUnits(call.pool, images * heads, 5 * N * N * d, [&](int64_t head, int thread) {
    const int64_t image = head / heads, column = head % heads * d;
    const AttentionGradBuffers<P> buffers(call.pool->scratch(thread, AttentionGradBuffers<P>(nullptr, N, d).bytes), N, d);
    const HeadRows gradientRows(gradient, image, column);
    sumProducts(HeadRows(o, image, column), gradientRows, N, d, buffers.delta);
    for (int64_t t = 0; t < roundUp(N, kLanes); t++) {
      // Columns past N are multiplied by zeros; they only have to be finite.
      buffers.lse[t] = t < N ? kLog2e * ((const float*)lse.data)[head * N + t] : 0.f;
      if (t >= N) buffers.delta[t] = 0.f;
    }
    const auto rows = [&](const Tensor& tensor, int64_t part) { return HeadRows(tensor, image, part * D + column); };
    attentionGradHead<P>({rows(qkv, 0), rows(qkv, 1), rows(qkv, 2)}, gradientRows,
                         {rows(dqkv, 0), rows(dqkv, 1), rows(dqkv, 2)}, N, d, buffers);
  });
}

static void attentionGradKernel(const Call& call) {
  const int64_t heads = (int64_t)call.number("heads", 1);
  if (call.inputs[0].dtype == DType::BFloat16) return attentionGradTyped<LowPacked>(call, heads);
  attentionGradTyped<float>(call, heads);
}

}  // namespace RF_NS
}  // namespace rectiflow
