// What all ranks do together, in steps that never wait: the thread of MPI goes on with one while it also delivers messages.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "asked.h"
#include "call.h"
#include "stream.h"

namespace rectiflow::mpi {

// Memory that one collective after the other has: what lies in it is of no use to the next.
class Staging {
 public:
  char* take(size_t bytes) {
    if (bytes > size_) {
      memory_.reset();
      memory_.reset(new char[bytes]);
      size_ = bytes;
    }
    return memory_.get();
  }

 private:
  std::unique_ptr<char[]> memory_;
  size_t size_ = 0;
};

// Who takes part, and what collectives have for themselves: a channel, and memory.
struct World {
  MPI_Comm comm = MPI_COMM_NULL;
  int rank = 0;
  int ranks = 1;
  Staging staging;
  std::atomic<uint64_t> bytesSent{0};
};

class Collective {
 public:
  virtual ~Collective() = default;
  // Does what can be done without waiting. Sets `moved` where that was anything. Returns true once all is done.
  virtual bool advance(bool* moved) = 0;
};

// A stream for each rank.
using Streams = std::vector<Stream>;

enum class Wire { fp32, bf16 };

// Ends with the sums of this rank's stream over all ranks, in place; the other streams are left as they are.
// @param tag of its messages
std::unique_ptr<Collective> sumRanges(World& world, Streams streams, Wire wire, int tag);

// Ends with every rank's stream as that rank has it.
std::unique_ptr<Collective> shareRanges(World& world, Streams streams, int tag);

// Fills `all` with the bytes of every rank, by rank; any number of each.
std::unique_ptr<Collective> gatherBytes(World& world, std::string own, std::shared_ptr<std::vector<std::string>> all);

}  // namespace rectiflow::mpi
