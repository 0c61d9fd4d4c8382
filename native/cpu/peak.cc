// The fastest multiply-adds there are: the peak that the rates of products are measured against.
//
// Nothing but multiply-adds of packed operands (see tile.h) on registers, with enough independent sums to hide their latency.
// Where no instruction multiplies pairs of bf16, products widen bf16 data to float32, and the peak is the same for both.
#include "tile.h"

namespace rectiflow {
namespace RF_NS {

// Latency times throughput is 8 to 12 on today's processors; these and two operands fit in the registers.
constexpr int kPeakSums = RF_LANES == 16 ? 16 : 12;
// Many short items: a thread that wakes late costs little.
constexpr int64_t kPeakItemsPerThread = 64;

// The float32 step multiplies the sum: of a product that never changes the compiler would keep only the addition.
static RF_INLINE vf peakStep(float, vf sum) { return sum * 0.5f + 1.f; }
static RF_INLINE vf peakStep(uint32_t ones, vf sum) { return multiplyAdd(ones, ones - (vu){}, sum); }

template <class P>
static int64_t peakBurst(Pool* pool, P operand, int64_t rounds) {
  const int64_t items = kPeakItemsPerThread * pool->threads();
  parallel(pool, items, [&](int64_t item, int) {
    vf sums[kPeakSums];
#pragma GCC unroll 16
    for (int i = 0; i < kPeakSums; i++) sums[i] = splat((float)(item + i));  // different, or they would be one
    for (int64_t round = 0; round < rounds; round++)
#pragma GCC unroll 16
      for (int i = 0; i < kPeakSums; i++) sums[i] = peakStep(operand, sums[i]);
    float out[kPeakSums * kLanes];
#pragma GCC unroll 16
    for (int i = 0; i < kPeakSums; i++) store(out + i * kLanes, sums[i]);
    asm volatile("" : : "r"(out) : "memory");  // as if they were read: else nothing would be computed
  });
  return items * rounds * kPeakSums * kLanes * kUnitSize<P> * 2;
}

static int64_t multiplyAddBurst(Pool* pool, DType operands, int64_t rounds) {
  return operands == DType::BFloat16 ? peakBurst<LowPacked>(pool, (LowPacked)0x3f803f80, rounds) : peakBurst(pool, 1.f, rounds);
}

}  // namespace RF_NS
}  // namespace rectiflow
