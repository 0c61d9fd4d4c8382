// The two exchanges of training: gradients are summed where they are owned, and weights are shared by who owns them.
#include <cstring>

#include "../denormals.h"
#include "exchange.h"
#include "tree_sum.h"

namespace rectiflow::mpi {
namespace {

std::vector<size_t> sizesOf(const Streams& streams) {
  std::vector<size_t> sizes;
  for (const Stream& stream : streams) sizes.push_back(stream.size());
  return sizes;
}

// Numbers that lie together travel from where they are; others are packed. Returns where they are.
const float* gathered(const Stream& stream, size_t begin, size_t end, float* staging) {
  const float* whole = nullptr;
  stream.visit(begin, end, [&](Span span, size_t before) {
    if (span.count == end - begin)
      whole = span.data;
    else
      memcpy(staging + before, span.data, span.count * sizeof(float));
  });
  return whole ? whole : staging;
}

class SumRanges final : public Exchange {
 public:
  SumRanges(World& world, Streams streams, Wire wire, int tag)
      : Exchange(world, wire == Wire::bf16 ? sizeof(uint16_t) : sizeof(float), tag),
        streams_(std::move(streams)),
        wire_(wire) {
    plan(sizesOf(streams_), std::vector<size_t>((size_t)world.ranks, own().size()));
    if (wire_ == Wire::bf16) {
      rounded_.resize(kBlock);
      wide_.resize((size_t)world.ranks * kBlock);
    }
  }

 private:
  const Stream& own() const { return streams_[(size_t)world_.rank]; }

  const void* pack(int to, size_t begin, size_t end, void* staging) override {
    const Stream& stream = streams_[(size_t)to];
    if (wire_ == Wire::fp32) return gathered(stream, begin, end, (float*)staging);
    stream.visit(begin, end, [&](Span span, size_t before) {
      roundToBfloat16(span.data, (uint16_t*)staging + before, span.count);
    });
    return staging;
  }

  void* place(int, size_t, size_t, void* staging) override { return staging; }

  void take(size_t begin, const std::vector<void*>& arrived) override {
    // As the threads that add up a rank's own gradients: the same bits, whoever adds.
    const FlushDenormals flush;
    const size_t end = std::min(own().size(), begin + bucket());
    own().visit(begin, end, [&](Span span, size_t before) {
      if (wire_ == Wire::fp32) {
        std::vector<float*> parts;
        for (void* part : arrived) parts.push_back((float*)part + before);
        sumInto(span.data, parts, span.count);
      } else {
        for (size_t at = 0; at < span.count; at += kBlock)
          sumRounded(span.data + at, arrived, before + at, std::min(kBlock, span.count - at));
      }
    });
  }

  void sumInto(float* data, std::vector<float*>& parts, size_t count) {
    parts[(size_t)world_.rank] = data;
    treeSum(parts, count);
    if (parts[0] != data) memcpy(data, parts[0], count * sizeof(float));
  }

  // This rank's part is rounded as those of the others are: which rank sums does not matter to the bits.
  void sumRounded(float* data, const std::vector<void*>& arrived, size_t before, size_t count) {
    roundToBfloat16(data, rounded_.data(), count);
    widen(rounded_.data(), data, count);
    std::vector<float*> parts(arrived.size());
    for (size_t rank = 0; rank < arrived.size(); rank++) {
      if ((int)rank == world_.rank) continue;
      parts[rank] = wide_.data() + rank * kBlock;
      widen((const uint16_t*)arrived[rank] + before, parts[rank], count);
    }
    sumInto(data, parts, count);
  }

  const Streams streams_;
  const Wire wire_;
  std::vector<uint16_t> rounded_;
  std::vector<float> wide_;  // a block for each rank
};

class ShareRanges final : public Exchange {
 public:
  ShareRanges(World& world, Streams streams, int tag) : Exchange(world, sizeof(float), tag), streams_(std::move(streams)) {
    plan(std::vector<size_t>((size_t)world.ranks, streams_[(size_t)world.rank].size()), sizesOf(streams_));
  }

 private:
  const void* pack(int, size_t begin, size_t end, void* staging) override {
    return gathered(streams_[(size_t)world_.rank], begin, end, (float*)staging);
  }

  void* place(int from, size_t begin, size_t end, void* staging) override {
    void* data = staging;
    streams_[(size_t)from].visit(begin, end, [&](Span span, size_t) {
      if (span.count == end - begin) data = span.data;
    });
    return data;
  }

  void take(size_t begin, const std::vector<void*>& arrived) override {
    for (size_t from = 0; from < arrived.size(); from++) {
      const size_t end = std::min(streams_[from].size(), begin + bucket());
      if ((int)from == world_.rank) continue;
      streams_[from].visit(begin, end, [&](Span span, size_t before) {
        const float* data = (const float*)arrived[from] + before;
        if (data != span.data) memcpy(span.data, data, span.count * sizeof(float));
      });
    }
  }

  const Streams streams_;
};

}  // namespace

std::unique_ptr<Collective> sumRanges(World& world, Streams streams, Wire wire, int tag) {
  return std::make_unique<SumRanges>(world, std::move(streams), wire, tag);
}

std::unique_ptr<Collective> shareRanges(World& world, Streams streams, int tag) {
  return std::make_unique<ShareRanges>(world, std::move(streams), tag);
}

}  // namespace rectiflow::mpi
