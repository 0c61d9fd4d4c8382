// The gradient of attention (attention.cc), which stores none of its probabilities.
//
//   attentionGrad: qkv [B, N, 3D], o [B, N, D], lse [B, H, N], do [B, N, D] -> dqkv [B, N, 3D]
//   crossAttentionGrad: q [B, N, D], kv [B, M, 2D], lengths [B], o, lse, do -> dq [B, N, D], dkv [B, M, 2D], 0 at padded keys
//   p = exp(s - lse), dv = p^T do, ds = p (do v^T - delta), delta = sum of o do, dq = ds k / sqrt(d), dk = ds^T q / sqrt(d)
//
// A block of keys meets all blocks of queries (Dao et al. 2022, FlashAttention, algorithm 4): five products per pair of blocks.
// As in the forward pass a tile is transposed, a lane to a query, so lse and delta are vectors. p and ds are made from a register
// tile of scores beside the products of the next one, and stay in the second-level cache: row by row they are the left operands
// of dv and dk; column by column, ds is that of dq.
//
// One work item is one head, which owns its part of the gradients; blocks follow each other in a fixed order.
#include "attention.h"

namespace rectiflow {
namespace RF_NS {

constexpr int64_t kGradKeys = 128 / kScoreRows * kScoreRows, kGradQueries = roundUp(128, kHeadCols);
// One cache line more than a power of two, so that the rows of a tile spread over the sets of the cache.
template <class P>
constexpr int64_t kGradStride = kGradQueries + 16 * kUnitSize<P>;

template <class P>
struct AttentionGradBuffers {
  P *queryTokens, *queryFeatures, *gradTokens, *gradFeatures;  // of the whole head
  P *keys, *values, *keyFeatures;                              // of a block of keys
  P *p, *ds, *pairs;
  float *lse, *delta, *dq, *dk, *dv;
  size_t bytes;

  AttentionGradBuffers(void* memory, int64_t N, int64_t M, int64_t d) {
    Carver carver{(uintptr_t)memory};
    const int64_t keyBlock = min64(M, kGradKeys), padded = roundUp(d, kLanes), tile = kGradKeys * kGradStride<P> / kUnitSize<P>;
    queryTokens = carver.take<P>(panelUnits<P>(N, d));
    gradTokens = carver.take<P>(panelUnits<P>(N, d));
    queryFeatures = carver.take<P>(panelUnits<P>(d, N));
    gradFeatures = carver.take<P>(panelUnits<P>(d, N));
    keys = carver.take<P>(copiedUnits<P>(roundUp(keyBlock, kScoreRows), d));
    values = carver.take<P>(copiedUnits<P>(roundUp(keyBlock, kScoreRows), d));
    keyFeatures = carver.take<P>(panelUnits<P>(d, keyBlock));
    p = carver.take<P>(tile);
    ds = carver.take<P>(tile);
    pairs = kUnitSize<P> == 1 ? ds : carver.take<P>(tile);
    lse = carver.take<float>(roundUp(N, kLanes));
    delta = carver.take<float>(roundUp(N, kLanes));
    dq = carver.take<float>(N * padded);
    dk = carver.take<float>(keyBlock * padded);
    dv = carver.take<float>(keyBlock * padded);
    bytes = carver.next - (uintptr_t)memory;
  }
};

// One head in every tensor.
struct GradHead {
  HeadRows q, k, v, o, gradient, dq, dk, dv;
};

// delta[t] = sum over the head's elements of o do, and 0 up to a whole vector.
static void sumProducts(const HeadRows& o, const HeadRows& gradient, int64_t N, int64_t d, float* delta) {
  o.visit(0, [&](auto* a) {
    gradient.visit(0, [&](auto* b) {
      using Unit = std::conditional_t<sizeof *a == 2 && sizeof *b == 2, LowPacked, float>;
      for (int64_t t = 0; t < N; t += kLanes) {
        vu sums[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; i++) {
          vf sum = {};
          if (t + i < N)
            for (int64_t j = 0; j < d; j += kLanes * kUnitSize<Unit>)
              sum = multiplyUnits<Unit>(unitsAlong<Unit>(a + (t + i) * o.stride + j, d - j),
                                        unitsAlong<Unit>(b + (t + i) * gradient.stride + j, d - j), sum);
          sums[i] = (vu)sum;
        }
        transpose(sums);
        vf total = {};
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; i++) total += (vf)sums[i];
        store(delta + t, total);
      }
    });
  });
}

// Scores and products do v^T of a block of `keys` keys become the units of p and ds. Pairs of bf16 run along the queries in p
// and ds, and along the keys, as the product for dq needs them, in `pairs`.
template <class P>
struct ToGradients {
  using Element = std::conditional_t<kUnitSize<P> == 1, float, bf16>;
  const AttentionGradBuffers<P>& b;
  Rows<P> keyRows, valueRows;
  int64_t keys, units;
  float scale;

  // V vectors of columns. Gradients are made of a tile while the products of the next one run.
  template <int V>
  __attribute__((noinline)) void columns(const P* queries, const P* gradients, const float* lse, const float* delta,
                                         int64_t column, Fetcher& fetcher) const {
    constexpr int64_t kStaged = kScoreRows * V * kLanes, kSecond = kScoreRows / 4, kFirst = kScoreRows / 2 - kSecond;
    alignas(64) float scores[2][kStaged];
    alignas(64) float products[kStaged];
    Element *const p = (Element*)b.p + column, *const ds = (Element*)b.ds + column;
    P* const pairs = b.pairs + column;
    const float scale = this->scale;
    const auto rowPair = [&](const float* tile, int64_t row, int64_t i, bool hasOdd) RF_ALWAYS_INLINE {
      vf gradient[2][V];
#pragma GCC unroll 2
      for (int64_t j = 0; j < 2; j++) {
        const int64_t to = (row + i + j) * kGradStride<P>, from = (i + j) * V * kLanes;
        vf probability[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; v++) {
          const int64_t lane = v * kLanes;
          // At most 1, but for what rounding does to the difference of two large numbers.
          const vf logarithm = vmin((vf){}, load(tile + from + lane) * scale - load(lse + lane));
          probability[v] = vexp2For<kUnitSize<P> == 2>(logarithm);
          gradient[j][v] = probability[v] * (load(products + from + lane) - load(delta + lane));
        }
        storeVectors<V>(p + to, probability);
        storeVectors<V>(ds + to, gradient[j]);
      }
      if constexpr (kUnitSize<P> == 2)
#pragma GCC unroll 2
        for (int v = 0; v < V; v++)
          *(vu_unaligned*)(pairs + (row + i) / 2 * kGradStride<P> + v * kLanes) =
              interleave(gradient[0][v], hasOdd ? gradient[1][v] : (vf){});
    };
    int64_t now = 0;
    for (int64_t row = 0; row < keys; row += kScoreRows, now ^= 1) {
      const auto before = [&](int64_t i) RF_ALWAYS_INLINE {
        fetcher.step();
        rowPair(scores[now ^ 1], row - kScoreRows, 2 * i, true);
      };
      const Rows<P> keyTile = keyRows.from(row), valueTile = valueRows.from(row);
      scoreTile<P, V>(units, keyTile.data, keyTile.rowStride, queries, scores[now], row ? kFirst : 0, before);
      scoreTile<P, V>(units, valueTile.data, valueTile.rowStride, gradients, products, row ? kSecond : 0,
                      [&](int64_t i) RF_ALWAYS_INLINE { before(kFirst + i); });
    }
    const int64_t last = (keys - 1) / kScoreRows * kScoreRows;
    for (int64_t i = 0; last + i < keys; i += 2) {
      fetcher.step();
      rowPair(scores[now ^ 1], last, i, last + i + 1 < keys);
    }
  }

 private:
  template <int V, class T>
  static RF_INLINE void storeVectors(T* p, const vf (&x)[V]) {
    if constexpr (V == 2)
      storePair(p, Pair{x[0], x[1]}, 2 * kLanes);
    else
      store(p, x[0]);
  }
};

// `next` is the head to be done after this one, whose rows are fetched meanwhile, as are those to be written.
template <class P>
static void attentionGradHead(const GradHead& head, const GradHead& next, int64_t N, int64_t M, int64_t d,
                              const AttentionGradBuffers<P>& b) {
  const float rootScale = 1.f / __builtin_sqrtf((float)d);
  const auto unscaled = [](int64_t) { return 1.f; };
  const auto scaled = [&](int64_t) { return rootScale; };
  const int64_t ld = roundUp(d, kLanes);
  const TokensFeatures<P> q = packBoth(head.q, N, d, b.queryTokens, b.queryFeatures);
  const TokensFeatures<P> gradient = packBoth(head.gradient, N, d, b.gradTokens, b.gradFeatures);
  const Rows<P> pRows = {b.p, kGradStride<P> / kUnitSize<P>, 1}, dsRows = {b.ds, kGradStride<P> / kUnitSize<P>, 1};
  const Rows<P> dsColumns = {b.pairs, 1, kGradStride<P>};
  const int64_t keyBlock = evenBlock(M, kGradKeys, kScoreRows), queryBlock = evenBlock(N, kGradQueries, kHeadCols);
  const HeadRows ahead[] = {head.dq, head.dk, head.dv, next.o, next.gradient, next.q, next.k, next.v};
  Fetcher fetcher(ahead, 8, d, ceilDiv(N, kHeadCols) * ceilDiv(M, 2));

  for (int64_t key = 0; key < M; key += keyBlock) {
    const int64_t keys = min64(keyBlock, M - key);
    const Rows<P> keyRows = copyTokens(head.k, key, keys, d, b.keys);
    const Rows<P> valueRows = copyTokens(head.v, key, keys, d, b.values);
    const Panels<P> keyFeatures = packFeatures(head.k, key, keys, d, b.keyFeatures);
    const ToGradients<P> finish = {b, keyRows, valueRows, keys, unitsOf<P>(d), kLog2e * rootScale};
    for (int64_t query = 0; query < N; query += queryBlock) {
      const int64_t queries = min64(queryBlock, N - query), width = roundUp(queries, kLanes);
      for (int64_t column = 0; column < width; column += kHeadCols) {
        const int64_t first = query + column;
        const P *const tokens = q.tokens.from(first, 0).data, *const gradients = gradient.tokens.from(first, 0).data;
        if (width - column < kHeadCols)
          finish.template columns<1>(tokens, gradients, b.lse + first, b.delta + first, column, fetcher);
        else
          finish.template columns<kHeadVectors>(tokens, gradients, b.lse + first, b.delta + first, column, fetcher);
      }
      multiplyHead(keys, ld, queries, pRows, gradient.features.from(0, query), Result{b.dv, ld, query > 0});
      multiplyHead(keys, ld, queries, dsRows, q.features.from(0, query), Result{b.dk, ld, query > 0});
      multiplyHead(queries, ld, keys, dsColumns, keyFeatures, Result{b.dq + query * ld, ld, key > 0});
    }
    storeTokens(head.dv, key, keys, d, b.dv, ld, unscaled);
    storeTokens(head.dk, key, keys, d, b.dk, ld, scaled);
  }
  storeTokens(head.dq, 0, N, d, b.dq, ld, scaled);
}

// `rest` are the inputs after those of attention: o, lse, do.
template <class P>
static void attendGrad(const Call& call, const AttentionTensors& in, const AttentionTensors& out, const Tensor* rest) {
  const Tensor &o = rest[0], &lse = rest[1], &gradient = rest[2];
  const int64_t N = in.queries.shape[1], d = in.d, allHeads = in.allHeads();
  if (!call.reserve(0, AttentionGradBuffers<P>(nullptr, N, in.keysValues.shape[1], d).bytes)) return;
  const auto headOf = [&](int64_t head) {
    return GradHead{in.q(head), in.k(head), in.v(head), in.rows(o, head, 0), in.rows(gradient, head, 0), out.q(head),
                    out.k(head), out.v(head)};
  };
  parallelUnits(call.pool, allHeads, 5 * N * in.keysValues.shape[1] * d, [&](int64_t head, int64_t next, int thread) {
    const GradHead current = headOf(head);
    const int64_t M = current.k.tokens;
    clearTokens(current.dk, M, current.dk.tokens, d);
    clearTokens(current.dv, M, current.dv.tokens, d);
    if (M == 0) return clearTokens(current.dq, 0, N, d);
    const AttentionGradBuffers<P> buffers(call.own(thread), N, M, d);
    sumProducts(current.o, current.gradient, N, d, buffers.delta);
    // Columns past N are multiplied by zeros; they only have to be finite.
    for (int64_t t = 0; t < roundUp(N, kLanes); t++)
      buffers.lse[t] = t < N ? kLog2e * ((const float*)lse.data)[head * N + t] : 0.f;
    attentionGradHead(current, next < allHeads ? headOf(next) : current, N, M, d, buffers);
  });
}

static void attendGrad(const Call& call, const AttentionTensors& in, const AttentionTensors& out, const Tensor* rest) {
  if (in.low()) return attendGrad<LowPacked>(call, in, out, rest);
  attendGrad<float>(call, in, out, rest);
}

static void attentionGradKernel(const Call& call) {
  const int64_t heads = (int64_t)call.number("heads", 1);
  attendGrad(call, AttentionTensors(call.inputs[0], heads), AttentionTensors(call.outputs[0], heads), call.inputs + 1);
}

static void crossAttentionGradKernel(const Call& call) {
  const int64_t heads = (int64_t)call.number("heads", 1);
  const int32_t* const lengths = (const int32_t*)call.inputs[2].data;
  attendGrad(call, AttentionTensors(call.inputs[0], call.inputs[1], lengths, heads),
             AttentionTensors(call.outputs[0], call.outputs[1], nullptr, heads), call.inputs + 3);
}

}  // namespace RF_NS
}  // namespace rectiflow
