// Random numbers y from Philox 4x32-10 (Salmon et al. 2011), axis 0 counting samples; the same as src/tensor/philox.ts draws.
//
//   key = (seed's lower, upper 32 bits); counter = (block, sample, step, stream), sample = firstSample + index along axis 0
//   element j of a sample is number j mod 4 of block floor(j / 4)
//   uniform: ((word >> 8) + 0.5) / 2^24, at most 1 - 2^-24, because float32 would round the last to 1
//   normal: Box & Muller (1958) in float64 on the uniform numbers (0, 1) and (2, 3) of a block; with the attribute `exact` by the
//     same logarithm, cosine and sine as JavaScript's, else by faster ones, which a few times in 10^8 come to the float beside
//
// Each 32-bit word has a 64-bit lane of its own, one block per lane: the 32 x 32 -> 64 bit product is then a single
// instruction, and its upper half a shift. Logarithm, cosine and sine are vectorised in float64.
#include "fdlibm.h"
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

struct PhiloxKey {
  uint32_t key0, key1, step, stream;
};

// Ten rounds on the counters (c[0], c[1], c[2], c[3]). Only the lower half of each lane counts, before and after.
static RF_INLINE void philoxRounds(vq (&c)[4], uint32_t key0, uint32_t key1) {
#pragma GCC unroll 10
  for (int round = 0; round < 10; round++) {
    const vq a = multiplyWords(c[0], 0xd2511f53u), b = multiplyWords(c[2], 0xcd9e8d57u);
    c[0] = (b >> 32) ^ c[1] ^ (uint64_t)key0;
    c[1] = b;
    c[2] = (a >> 32) ^ c[3] ^ (uint64_t)key1;
    c[3] = a;
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
}

static RF_INLINE vd philoxToUniform(vq words) {
  const vd cell = toDouble((words & 0xffffffffu) >> 8) + 0.5;
  return (cell < 0x1.fffffep23 ? cell : splatDouble(0x1.fffffep23)) * 0x1p-24;
}

enum class Numbers { Uniform, Normal, ExactNormal };

template <Numbers kNumbers>
static RF_INLINE void boxMuller(vd* u0, vd* u1) {
  constexpr bool kExact = kNumbers == Numbers::ExactNormal;
  const vd radius = vsqrt((kExact ? fdlibmLog(*u0) : vlog(*u0)) * -2.);
  vd cosine, sine;
  if (kExact)
    fdlibmCosSin(*u1 * 6.283185307179586, &cosine, &sine);
  else
    vcosSin2Pi(*u1, &cosine, &sine);
  *u0 = radius * cosine;
  *u1 = radius * sine;
}

// Numbers for the blocks [begin, end), counted through all samples.
template <Numbers kNumbers>
static void philoxBlocks(float* y, int64_t begin, int64_t end, int64_t elements, int64_t firstSample, PhiloxKey k) {
  const int64_t blocksPerSample = ceilDiv(elements, 4);
  int64_t sample = begin / blocksPerSample, block = begin % blocksPerSample;
  while (begin < end) {
    const int count = (int)min64(kDoubles, end - begin);
    vq counters[4] = {{}, {}, k.step - (vq){}, k.stream - (vq){}};
    int64_t at[kDoubles] = {}, length[kDoubles] = {};
    for (int lane = 0; lane < count; lane++) {
      counters[0][lane] = (uint64_t)block;
      counters[1][lane] = (uint64_t)(firstSample + sample);
      at[lane] = sample * elements + 4 * block;
      length[lane] = min64(4, elements - 4 * block);
      if (++block == blocksPerSample) {
        block = 0;
        sample++;
      }
    }
    philoxRounds(counters, k.key0, k.key1);
    vd numbers[4];
    for (int i = 0; i < 4; i++) numbers[i] = philoxToUniform(counters[i]);
    if (kNumbers != Numbers::Uniform) {
      boxMuller<kNumbers>(numbers + 0, numbers + 1);
      boxMuller<kNumbers>(numbers + 2, numbers + 3);
    }
    double values[4][kDoubles];
    memcpy(values, numbers, sizeof(values));
    for (int lane = 0; lane < count; lane++)
      for (int64_t i = 0; i < length[lane]; i++) y[at[lane] + i] = (float)values[i][lane];
    begin += count;
  }
}

template <Numbers kNumbers>
static void philoxFill(const Call& call) {
  const Tensor& y = call.outputs[0];
  if (y.size == 0) return;
  const int64_t samples = y.rank > 0 ? y.shape[0] : 1, elements = y.size / samples;
  const uint64_t seed = (uint64_t)call.number("seed", 0);
  const int64_t firstSample =
      call.inputCount > 1 ? *(const int32_t*)call.inputs[1].data : (int64_t)call.number("firstSample", 0);
  const PhiloxKey key = {(uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)*(const int32_t*)call.inputs[0].data,
                         (uint32_t)call.number("stream", 0)};
  // A block costs about as much as streaming this many elements.
  constexpr int64_t kBlockCost = 64;
  parallelSpans(call.pool, samples * ceilDiv(elements, 4), kBlockCost, [&](int64_t begin, int64_t end) {
    philoxBlocks<kNumbers>((float*)y.data, begin, end, elements, firstSample, key);
  });
}

static void philoxUniformKernel(const Call& call) { philoxFill<Numbers::Uniform>(call); }
static void philoxNormalKernel(const Call& call) {
  if (call.number("exact", 0) != 0) return philoxFill<Numbers::ExactNormal>(call);
  philoxFill<Numbers::Normal>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
