// Sums of ranks' parts over a binary tree, neighbours first: ((r0 + r1) + (r2 + r3)) + ..., as src/train/communicator.ts asks. Of a number
// that is no power of two, the last ones are added where the tree has room for them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace rectiflow::mpi {

// So many numbers of each part at once: they stay in the first cache from one level of the tree to the next.
constexpr size_t kBlock = 1024;

// Adds up parts of `count` numbers each, by rank; changes all of them. The sum is in the first one.
inline void treeSum(const std::vector<float*>& parts, size_t count) {
  const size_t ranks = parts.size();
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t end = begin + kBlock < count ? begin + kBlock : count;
    for (size_t apart = 1; apart < ranks; apart *= 2)
      for (size_t i = 0; i + apart < ranks; i += 2 * apart) {
        float* __restrict sum = parts[i];
        const float* __restrict other = parts[i + apart];
        for (size_t k = begin; k < end; k++) sum[k] += other[k];
      }
  }
}

// bfloat16 is the upper half of a float32: rounded to nearest, ties to even. What is no number stays one.
inline uint16_t toBfloat16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const uint32_t quiet = (bits >> 16) | 0x40;
  return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

inline float fromBfloat16(uint16_t half) {
  const uint32_t bits = (uint32_t)half << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

inline void roundToBfloat16(const float* __restrict from, uint16_t* __restrict to, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] = toBfloat16(from[i]);
}

inline void widen(const uint16_t* __restrict from, float* __restrict to, size_t count) {
  for (size_t i = 0; i < count; i++) to[i] = fromBfloat16(from[i]);
}

}  // namespace rectiflow::mpi
