// Bytes of every rank for every rank. All of them travel at once in blocks of one size, which say how many there are; only what does not
// fit is sent after them.
#include <algorithm>
#include <cstring>

#include "collective.h"

namespace rectiflow::mpi {
namespace {

constexpr int kTag = 2;
constexpr size_t kBlockBytes = 1024;
constexpr size_t kInBlock = kBlockBytes - sizeof(uint64_t);
// The count of a message is an int.
constexpr size_t kLargestMessage = size_t(1) << 30;

class GatherBytes final : public Collective {
 public:
  GatherBytes(World& world, std::string own, std::shared_ptr<std::vector<std::string>> all)
      : world_(world), own_(std::move(own)), all_(std::move(all)) {
    block_.resize(kBlockBytes);
    blocks_.resize(kBlockBytes * (size_t)world.ranks);
    const uint64_t size = own_.size();
    memcpy(block_.data(), &size, sizeof size);
    memcpy(block_.data() + sizeof size, own_.data(), std::min(own_.size(), kInBlock));
  }

  bool advance(bool* moved) override {
    if (stage_ == 0) {
      requests_.assign(1, MPI_REQUEST_NULL);
      RF_MPI(Iallgather, block_.data(), (int)kBlockBytes, MPI_BYTE, blocks_.data(), (int)kBlockBytes, MPI_BYTE, world_.comm,
             &requests_[0]);
      world_.bytesSent += kBlockBytes * (size_t)(world_.ranks - 1);
      stage_ = 1;
    }
    if (!allDone()) return false;
    *moved = true;
    if (stage_ == 1) {
      readBlocks();
      stage_ = 2;
      if (!allDone()) return false;
    }
    return true;
  }

 private:
  bool allDone() {
    int done = 0;
    RF_MPI(Testall, (int)requests_.size(), requests_.data(), &done, MPI_STATUSES_IGNORE);
    return done != 0;
  }

  void readBlocks() {
    all_->resize((size_t)world_.ranks);
    for (int rank = 0; rank < world_.ranks; rank++) {
      const char* block = blocks_.data() + kBlockBytes * (size_t)rank;
      uint64_t size;
      memcpy(&size, block, sizeof size);
      std::string& bytes = (*all_)[(size_t)rank];
      bytes.resize(size);
      memcpy(&bytes[0], block + sizeof size, std::min<size_t>(size, kInBlock));
    }
    for (int away = 1; away < world_.ranks; away++) {
      const int from = (world_.rank + world_.ranks - away) % world_.ranks, to = (world_.rank + away) % world_.ranks;
      inMessages((*all_)[(size_t)from], [&](char* data, int bytes) {
        RF_MPI(Irecv, data, bytes, MPI_BYTE, from, kTag, world_.comm, add());
      });
      inMessages(own_, [&](char* data, int bytes) {
        RF_MPI(Isend, data, bytes, MPI_BYTE, to, kTag, world_.comm, add());
        world_.bytesSent += (size_t)bytes;
      });
    }
    (*all_)[(size_t)world_.rank] = own_;
  }

  // What was not in the block.
  template <typename F>
  void inMessages(std::string& bytes, F f) {
    for (size_t at = kInBlock; at < bytes.size(); at += kLargestMessage)
      f(&bytes[at], (int)std::min(bytes.size() - at, kLargestMessage));
  }

  MPI_Request* add() {
    requests_.push_back(MPI_REQUEST_NULL);
    return &requests_.back();
  }

  World& world_;
  std::string own_;
  std::shared_ptr<std::vector<std::string>> all_;
  std::vector<char> block_, blocks_;
  std::vector<MPI_Request> requests_;
  int stage_ = 0;
};

}  // namespace

std::unique_ptr<Collective> gatherBytes(World& world, std::string own, std::shared_ptr<std::vector<std::string>> all) {
  return std::make_unique<GatherBytes>(world, std::move(own), std::move(all));
}

}  // namespace rectiflow::mpi
