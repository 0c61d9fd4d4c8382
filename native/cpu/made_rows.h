// The input x of a linear layer, for packing across its rows (see PlainRows in pack.h), where the backward pass keeps what x was
// made of: it is made again, by the same operations, to the bit.
#pragma once
#include "activation.h"
#include "pack.h"
#include "spans.h"

namespace rectiflow {
namespace RF_NS {

// act(z).
template <int activation, class S>
struct ActivatedRows {
  using Element = S;
  PlainRows<S> z;

  ActivatedRows from(int64_t row, int64_t i) const { return {z.from(row, i)}; }
  RF_INLINE void fetch(int64_t row, int64_t i) const { z.fetch(row, i); }
  RF_INLINE const S* read(int64_t row, int64_t i, int64_t lanes, S* made) const {
    storePair(made, activated<activation, S>(loadPair(z.at(row, i), lanes)), lanes);
    return made;
  }
};

// A modulated layer norm, h (1 + scale) + shift, with shift and scale [images, columns].
template <class S>
struct ModulatedRows {
  using Element = S;
  PlainRows<S> h;
  const float *shift, *scale;
  uint32_t tokens, firstRow;  // of an image; of h, among all rows

  ModulatedRows from(int64_t row, int64_t i) const {
    return {h.from(row, i), shift + i, scale + i, tokens, firstRow + (uint32_t)row};
  }
  RF_INLINE void fetch(int64_t row, int64_t i) const { h.fetch(row, i); }
  RF_INLINE const S* read(int64_t row, int64_t i, int64_t lanes, S* made) const {
    const int64_t at = (firstRow + (uint32_t)row) / tokens * h.stride + i;
    const Pair x = loadPair(h.at(row, i), lanes), by = loadPair(scale + at, lanes), add = loadPair(shift + at, lanes);
    storePair(made, {modulated(x.low, add.low, by.low), modulated(x.high, add.high, by.high)}, lanes);
    return made;
  }
};

}  // namespace RF_NS
}  // namespace rectiflow
