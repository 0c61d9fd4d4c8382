// slice, split, pad and concat: the part of each row (the axes from `axis` on, seen as one) that is copied or zeroed. By element size,
// so for every dtype.
#include "loops.h"

namespace rectiflow {
namespace RF_NS {

static inline int64_t elementBytes(const Tensor& tensor) { return tensor.dtype == DType::BFloat16 ? 2 : 4; }

static inline int64_t product(const Tensor& tensor, int begin, int end) {
  int64_t result = 1;
  for (int axis = begin; axis < end; axis++) result *= tensor.shape[axis];
  return result;
}

// Bytes per index of the axis, and per row of all its indices.
static inline int64_t stepBytes(const Tensor& tensor, int axis) {
  return product(tensor, axis + 1, tensor.rank) * elementBytes(tensor);
}
static inline int64_t rowBytes(const Tensor& tensor, int axis) { return stepBytes(tensor, axis) * tensor.shape[axis]; }

// Copies `bytes` of every row; long rows are cut into pieces too.
static inline void copyRows(Pool* pool, int64_t rows, const char* from, int64_t fromStride, char* to, int64_t toStride,
                            int64_t bytes) {
  constexpr int64_t kPiece = kGrain * 4;
  const int64_t pieces = ceilDiv(bytes, kPiece);
  const int64_t grain = max64(1, kPiece / max64(1, min64(bytes, kPiece)));
  forRanges(pool, rows * pieces, grain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t row = i / pieces, offset = i % pieces * kPiece;
      memcpy(to + row * toStride + offset, from + row * fromStride + offset, min64(kPiece, bytes - offset));
    }
  });
}

static void sliceKernel(const Call& call) {
  const Tensor &x = call.inputs[0], &y = call.outputs[0];
  const int axis = (int)call.number("axis", 0);
  const char* first = (const char*)x.data + (int64_t)call.number("start", 0) * stepBytes(x, axis);
  copyRows(call.pool, product(x, 0, axis), first, rowBytes(x, axis), (char*)y.data, rowBytes(y, axis), rowBytes(y, axis));
}

static void splitKernel(const Call& call) {
  const Tensor& x = call.inputs[0];
  const int axis = (int)call.number("axis", 0);
  const char* from = (const char*)x.data;
  for (int i = 0; i < call.outputCount; i++) {
    const Tensor& y = call.outputs[i];
    const int64_t bytes = rowBytes(y, axis);
    copyRows(call.pool, product(x, 0, axis), from, rowBytes(x, axis), (char*)y.data, bytes, bytes);
    from += bytes;
  }
}

static void concatKernel(const Call& call) {
  const Tensor& y = call.outputs[0];
  const int axis = (int)call.number("axis", 0);
  char* to = (char*)y.data;
  for (int i = 0; i < call.inputCount; i++) {
    const Tensor& x = call.inputs[i];
    const int64_t bytes = rowBytes(x, axis);
    copyRows(call.pool, product(y, 0, axis), (const char*)x.data, bytes, to, rowBytes(y, axis), bytes);
    to += bytes;
  }
}

static void padKernel(const Call& call) {
  const Tensor &x = call.inputs[0], &y = call.outputs[0];
  const int axis = (int)call.number("axis", 0);
  const int64_t before = (int64_t)call.number("before", 0) * stepBytes(y, axis), inside = rowBytes(x, axis);
  const int64_t row = rowBytes(y, axis);
  const char* from = (const char*)x.data;
  char* to = (char*)y.data;
  const int64_t grain = max64(1, kGrain * 4 / row);
  forRanges(call.pool, product(y, 0, axis), grain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      char* out = to + i * row;
      memset(out, 0, before);
      memcpy(out + before, from + i * inside, inside);
      memset(out + before + inside, 0, row - before - inside);
    }
  });
}

}  // namespace RF_NS
}  // namespace rectiflow
