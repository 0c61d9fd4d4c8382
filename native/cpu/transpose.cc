// transpose: axis i of y is axis permutation[i] of x. By element size, so for every dtype.
//
// Where the last axis stays the last, rows are copied whole. Otherwise x is contiguous along another axis of y than y is, and
// square tiles of those two axes are moved, so that both the lines read and the lines written stay in the first-level cache.
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

template <class T>
static inline void copyPermutedRows(Pool* pool, const Axes<1>& axes, const T* x, T* y, int64_t size) {
  forRanges(pool, size, kGrain, [&](int64_t begin, int64_t end) {
    forRows(axes, begin, end, [&](int64_t to, const int64_t* from, int64_t length) {
      memcpy(y + to, x + from[0], length * sizeof(T));
    });
  });
}

constexpr int64_t kTile = 32;

// `contiguous` is the axis of y along which x has stride 1.
template <class T>
static inline void moveTiles(Pool* pool, const Axes<1>& axes, int contiguous, const T* x, T* y) {
  const int last = axes.rank - 1;
  int64_t yStride[kMaxRank];
  yStride[last] = 1;
  for (int axis = last - 1; axis >= 0; axis--) yStride[axis] = yStride[axis + 1] * axes.extent[axis + 1];

  const int64_t rows = axes.extent[contiguous], columns = axes.extent[last];
  const int64_t columnStride = axes.stride[0][last], rowStride = yStride[contiguous];
  const int64_t rowTiles = ceilDiv(rows, kTile), columnTiles = ceilDiv(columns, kTile);
  int64_t planes = 1;
  for (int axis = 0; axis < last; axis++)
    if (axis != contiguous) planes *= axes.extent[axis];

  const int64_t tileSize = min64(rows, kTile) * min64(columns, kTile);
  forRanges(pool, planes * rowTiles * columnTiles, max64(1, kGrain / tileSize), [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; item++) {
      int64_t rest = item / (rowTiles * columnTiles), xBase = 0, yBase = 0;
      for (int axis = last - 1; axis >= 0; axis--) {
        if (axis == contiguous) continue;
        const int64_t index = rest % axes.extent[axis];
        rest /= axes.extent[axis];
        xBase += index * axes.stride[0][axis];
        yBase += index * yStride[axis];
      }
      const int64_t row0 = item / columnTiles % rowTiles * kTile, column0 = item % columnTiles * kTile;
      const int64_t rowEnd = min64(rows, row0 + kTile), columnEnd = min64(columns, column0 + kTile);
      for (int64_t row = row0; row < rowEnd; row++)
        for (int64_t column = column0; column < columnEnd; column++)
          y[yBase + row * rowStride + column] = x[xBase + row + column * columnStride];
    }
  });
}

template <class T>
static inline void transposeAs(const Call& call) {
  const Tensor &x = call.inputs[0], &y = call.outputs[0];
  const Attribute* permutation = call.attribute("permutation");
  int64_t dense[kMaxRank];
  int64_t stride = 1;
  for (int axis = x.rank - 1; axis >= 0; axis--) {
    dense[axis] = stride;
    stride *= x.shape[axis];
  }
  Axes<1> axes;
  for (int axis = 0; axis < y.rank; axis++) {
    const int64_t strides[1] = {dense[(int)permutation->values[axis]]};
    axes.append(y.shape[axis], strides);
  }
  axes.finish();
  int contiguous = 0;
  while (axes.stride[0][contiguous] != 1) contiguous++;
  if (contiguous == axes.rank - 1)
    copyPermutedRows(call.pool, axes, (const T*)x.data, (T*)y.data, y.size);
  else
    moveTiles(call.pool, axes, contiguous, (const T*)x.data, (T*)y.data);
}

static void transposeKernel(const Call& call) {
  if (call.inputs[0].dtype == DType::BFloat16)
    transposeAs<uint16_t>(call);
  else
    transposeAs<uint32_t>(call);
}

}  // namespace RF_NS
}  // namespace rectiflow
