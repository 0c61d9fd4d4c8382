// How the row-wise kernels divide their work: rows among items, a row among vectors.
//
// Every division depends on the shapes alone, so results do not depend on the number of threads.
#pragma once
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

// Elements streamed per item: some ten microseconds, long against claiming an item, short against a kernel that is worth the
// waking of a thread. Smaller tensors are one item and wake nobody.
constexpr int64_t kSpanElements = 32768;

// Runs body(begin, end) on spans of [0, units).
template <class Body>
static inline void parallelSpans(Pool* pool, int64_t units, int64_t elementsPerUnit, Body&& body) {
  forRanges(pool, units, max64(1, kSpanElements / max64(1, elementsPerUnit)), body);
}

// An op's inputs as one long list of elements, so that many small tensors cost no more than a large one.
static inline int64_t sizeOfInputs(const Call& call) {
  int64_t count = 0;
  for (int32_t i = 0; i < call.inputCount; i++) count += call.inputs[i].size;
  return count;
}
// Runs body(input, from, to) for the parts of inputs that elements [begin, end) of the list are.
template <class Body>
static inline void forInputs(const Call& call, int64_t begin, int64_t end, Body&& body) {
  for (const Tensor* input = call.inputs; begin < end; input++) {
    if (begin < input->size) body(*input, begin, min64(end, input->size));
    begin = max64(0, begin - input->size);
    end -= input->size;
  }
}

// Runs body(start, lanes) over a row: kUnroll whole vectors at a time, then the rest one by one. Only the last may be partial.
template <int kUnroll, class Body>
static RF_INLINE void forVectors(int64_t width, Body&& body) {
  int64_t j = 0;
  for (; j + kUnroll * kLanes <= width; j += kUnroll * kLanes) {
#pragma GCC unroll 8
    for (int k = 0; k < kUnroll; k++) body(j + k * kLanes, (int64_t)kLanes);
  }
  for (; j + kLanes <= width; j += kLanes) body(j, (int64_t)kLanes);
  if (j < width) body(j, width - j);
}

// Fetches what stands at column j of a row that is soon to be read, once for each line of the cache as j passes over its lanes.
template <class T>
static RF_INLINE void fetchAhead(const T* row, int64_t j) {
  if (j * (int64_t)sizeof(T) % 64 == 0) __builtin_prefetch(row + j);
}

// What adaLN makes of a normalised token.
static RF_INLINE vf modulated(vf normalized, vf shift, vf scale) { return normalized * (1.f + scale) + shift; }

// Sums over the rows of each image: outputs[k][image, width] = sum over n of what body adds for row n.
//
// body(image, begin, end, sums) adds rows [begin, end) of an image to sums[0..kSums), each of the given width. Long images are
// divided into chunks of rows unless there are many; the chunks' sums are then added in order.
template <int kSums, class Body>
static inline void sumOverRows(const Call& call, int64_t images, int64_t rows, int64_t width, float* const (&outputs)[kSums],
                               Body&& body) {
  constexpr int64_t kEnoughChunks = 64;
  const int64_t chunks = min64(ceilDiv(rows, max64(16, kSpanElements / width)), ceilDiv(kEnoughChunks, images));
  const int64_t chunkRows = ceilDiv(ceilDiv(rows, chunks), 4) * 4;
  if (!call.reserve(chunks > 1 ? images * chunks * kSums * width * sizeof(float) : 0, 0)) return;
  float* const partial = chunks > 1 ? (float*)call.shared() : nullptr;
  const auto slice = [&](int64_t image, int64_t chunk, int k) {
    return partial ? partial + ((image * chunks + chunk) * kSums + k) * width : outputs[k] + image * width;
  };

  parallelSpans(call.pool, images * chunks, chunkRows * width, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t image = unit / chunks, chunk = unit % chunks;
      float* sums[kSums];
      for (int k = 0; k < kSums; k++) {
        sums[k] = slice(image, chunk, k);
        memset(sums[k], 0, width * sizeof(float));
      }
      body(image, min64(rows, chunk * chunkRows), min64(rows, (chunk + 1) * chunkRows), sums);
    }
  });

  if (!partial) return;
  parallelSpans(call.pool, images, chunks * kSums * width, [&](int64_t begin, int64_t end) {
    for (int64_t image = begin; image < end; image++) {
      for (int k = 0; k < kSums; k++) {
        forVectors<1>(width, [&](int64_t j, int64_t lanes) RF_ALWAYS_INLINE {
          vf total = {};
          for (int64_t chunk = 0; chunk < chunks; chunk++) total += loadPartial(slice(image, chunk, k) + j, lanes);
          storePartial(outputs[k] + image * width + j, total, lanes);
        });
      }
    }
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
