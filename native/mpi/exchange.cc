#include "exchange.h"

#include <algorithm>

namespace rectiflow::mpi {
namespace {

constexpr size_t kSlots = 3;
// Of all that is staged for a bucket in one direction, and of a message in it.
constexpr size_t kStagedBytes = size_t(4) << 20;
constexpr size_t kLargestMessage = size_t(1) << 20, kSmallestMessage = size_t(64) << 10;

size_t bucketBytes(int ranks) {
  return std::clamp(kStagedBytes / (size_t)std::max(1, ranks - 1), kSmallestMessage, kLargestMessage);
}

bool allDone(std::vector<MPI_Request>& requests) {
  int done = 0;
  RF_MPI(Testall, (int)requests.size(), requests.data(), &done, MPI_STATUSES_IGNORE);
  return done != 0;
}

}  // namespace

Exchange::Exchange(World& world, size_t elementBytes, int tag)
    : world_(world), elementBytes_(elementBytes), tag_(tag), bucket_(bucketBytes(world.ranks) / elementBytes) {}

void Exchange::plan(std::vector<size_t> outgoing, std::vector<size_t> incoming) {
  outgoing_ = std::move(outgoing);
  incoming_ = std::move(incoming);
}

// Not before the last collective is done, whose staging it takes.
void Exchange::begin() {
  size_t longest = 0;
  for (int rank = 0; rank < world_.ranks; rank++)
    if (rank != world_.rank) longest = std::max({longest, outgoing_[(size_t)rank], incoming_[(size_t)rank]});
  buckets_ = (longest + bucket_ - 1) / bucket_;
  slots_.resize(std::min(kSlots, buckets_));
  const size_t ranks = (size_t)world_.ranks;
  stagedBytes_ = std::min(bucket_, longest) * elementBytes_;
  char* staging = world_.staging.take(2 * ranks * stagedBytes_ * slots_.size());
  for (Slot& slot : slots_) {
    slot.sent = staging;
    slot.received = staging + ranks * stagedBytes_;
    staging += 2 * ranks * stagedBytes_;
    slot.arrived.assign(ranks, nullptr);
    slot.sends.assign(ranks, MPI_REQUEST_NULL);
    slot.receives.assign(ranks, MPI_REQUEST_NULL);
  }
}

void Exchange::fill(Slot& slot, size_t index) {
  const size_t begin = index * bucket_;
  for (int away = 1; away < world_.ranks; away++) {
    // Each begins with another one, so that not all of them fall upon the first.
    const int from = (world_.rank + world_.ranks - away) % world_.ranks, to = (world_.rank + away) % world_.ranks;
    const size_t arrives = std::min(incoming_[(size_t)from], begin + bucket_);
    if (arrives > begin) {
      void* data = place(from, begin, arrives, slot.received + (size_t)from * stagedBytes_);
      slot.arrived[(size_t)from] = data;
      RF_MPI(Irecv, data, (int)((arrives - begin) * elementBytes_), MPI_BYTE, from, tag_, world_.comm,
             &slot.receives[(size_t)from]);
    }
    const size_t leaves = std::min(outgoing_[(size_t)to], begin + bucket_);
    if (leaves > begin) {
      const void* data = pack(to, begin, leaves, slot.sent + (size_t)to * stagedBytes_);
      const size_t bytes = (leaves - begin) * elementBytes_;
      RF_MPI(Isend, data, (int)bytes, MPI_BYTE, to, tag_, world_.comm, &slot.sends[(size_t)to]);
      world_.bytesSent += bytes;
    }
  }
  slot.index = index;
  slot.taken = false;
}

bool Exchange::advance(bool* moved) {
  if (!hasBegun_) begin();
  hasBegun_ = true;
  for (; next_ < slots_.size(); next_++) {
    fill(slots_[next_], next_);
    *moved = true;
  }
  while (done_ < buckets_) {
    Slot& slot = slots_[done_ % slots_.size()];
    if (!slot.taken) {
      if (!allDone(slot.receives)) return false;
      take(slot.index * bucket_, slot.arrived);
      slot.taken = true;
      *moved = true;
    }
    if (!allDone(slot.sends)) return false;
    *moved = true;
    done_++;
    if (next_ < buckets_) fill(slot, next_++);
  }
  return true;
}

}  // namespace rectiflow::mpi
