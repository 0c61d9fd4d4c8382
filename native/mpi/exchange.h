// Streams in exchange between all pairs of ranks, bucket by bucket: while one bucket is dealt with, the next ones are on their way.
#pragma once
#include "collective.h"

namespace rectiflow::mpi {

class Exchange : public Collective {
 public:
  Exchange(World& world, size_t elementBytes, int tag);
  bool advance(bool* moved) final;

 protected:
  // How many numbers travel to and from each rank. To be called by the constructor.
  void plan(std::vector<size_t> outgoing, std::vector<size_t> incoming);
  // The bytes of numbers that go to a rank; may be packed into `staging`, which has room for a bucket.
  virtual const void* pack(int to, size_t begin, size_t end, void* staging) = 0;
  // Where numbers of a rank are to arrive: `staging`, or where they belong.
  virtual void* place(int from, size_t begin, size_t end, void* staging) = 0;
  // A bucket has come from every rank: where it begins, and where each rank's lies.
  virtual void take(size_t begin, const std::vector<void*>& arrived) = 0;

  size_t bucket() const { return bucket_; }

  World& world_;

 private:
  struct Slot {
    char *sent = nullptr, *received = nullptr;  // staging, a bucket for each rank
    std::vector<void*> arrived;                 // by rank
    std::vector<MPI_Request> sends, receives;
    size_t index = 0;  // of its bucket
    bool taken = true;
  };

  void begin();
  void fill(Slot& slot, size_t index);

  const size_t elementBytes_;
  const int tag_;
  const size_t bucket_;  // in numbers
  std::vector<size_t> outgoing_, incoming_;
  size_t stagedBytes_ = 0;  // of a bucket
  size_t buckets_ = 0, next_ = 0, done_ = 0;
  std::vector<Slot> slots_;
  bool hasBegun_ = false;
};

}  // namespace rectiflow::mpi
