// The ranges of one rank in all arrays of a call, one after the other, as if they were one array.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace rectiflow::mpi {

struct Span {
  float* data;
  size_t count;
};

class Stream {
 public:
  void append(float* data, size_t count) {
    if (count == 0) return;
    spans_.push_back({data, count});
    starts_.push_back(size_);
    size_ += count;
  }

  size_t size() const { return size_; }

  // Where its numbers from `begin` to `end` lie, in order: f(Span, how many of them came before).
  template <typename F>
  void visit(size_t begin, size_t end, F f) const {
    if (begin >= end) return;
    size_t i = (size_t)(std::upper_bound(starts_.begin(), starts_.end(), begin) - starts_.begin()) - 1;
    for (size_t at = begin; at < end; i++) {
      const size_t within = at - starts_[i];
      const size_t count = std::min(spans_[i].count - within, end - at);
      f(Span{spans_[i].data + within, count}, at - begin);
      at += count;
    }
  }

 private:
  std::vector<Span> spans_;
  std::vector<size_t> starts_;
  size_t size_ = 0;
};

}  // namespace rectiflow::mpi
