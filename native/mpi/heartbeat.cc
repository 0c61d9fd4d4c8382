#include "heartbeat.h"

#include <algorithm>

namespace rectiflow::mpi {
namespace {

constexpr int kTag = 1;

}  // namespace

Heartbeat::Heartbeat(MPI_Comm comm, int rank, int ranks, Clock::duration interval, int patience)
    : comm_(comm), interval_(interval), patience_(patience), next_(Clock::now()) {
  for (int other = 0; other < ranks; other++)
    if (other != rank && (rank == 0 || other == 0)) peers_.push_back({other});
}

bool Heartbeat::advance() {
  hear();
  if (ending_) sendEnds();
  const Clock::time_point now = Clock::now();
  if (now < next_) return false;
  next_ = now + interval_;
  for (Peer& peer : peers_) peer.silent++;
  if (!ending_) send(Beat::alive);
  return true;
}

void Heartbeat::hear() {
  const auto expected = [this] {
    return std::any_of(peers_.begin(), peers_.end(), [](const Peer& peer) { return !peer.saidEnd; });
  };
  while (hearing_ != MPI_REQUEST_NULL || expected()) {
    if (hearing_ == MPI_REQUEST_NULL)
      RF_MPI(Irecv, &heard_, (int)sizeof heard_, MPI_BYTE, MPI_ANY_SOURCE, kTag, comm_, &hearing_);
    int arrived = 0;
    MPI_Status status;
    RF_MPI(Test, &hearing_, &arrived, &status);
    if (!arrived) return;
    for (Peer& peer : peers_) {
      if (peer.rank != status.MPI_SOURCE) continue;
      peer.silent = 0;
      if (heard_ == Beat::leave) leave_ = true;
      if (heard_ == Beat::end) peer.saidEnd = true;
    }
  }
}

bool Heartbeat::isFree(Peer& peer) {
  int sent = 0;
  RF_MPI(Test, &peer.sending, &sent, MPI_STATUS_IGNORE);
  return sent != 0;
}

// What the last beat still waits for would only pile up: it is skipped.
void Heartbeat::send(Beat beat) {
  for (Peer& peer : peers_) {
    if (!isFree(peer)) continue;
    peer.beat = beat;
    RF_MPI(Isend, &peer.beat, (int)sizeof peer.beat, MPI_BYTE, peer.rank, kTag, comm_, &peer.sending);
  }
}

void Heartbeat::sendEnds() {
  for (Peer& peer : peers_) {
    const bool free = isFree(peer);
    if (peer.toldEnd || !free) continue;
    peer.beat = Beat::end;
    RF_MPI(Isend, &peer.beat, (int)sizeof peer.beat, MPI_BYTE, peer.rank, kTag, comm_, &peer.sending);
    peer.toldEnd = true;
  }
}

std::vector<int> Heartbeat::lost() const {
  std::vector<int> ranks;
  for (const Peer& peer : peers_)
    if (!peer.saidEnd && peer.silent >= patience_) ranks.push_back(peer.rank);
  return ranks;
}

bool Heartbeat::hasEnded() const {
  return std::all_of(peers_.begin(), peers_.end(), [](const Peer& peer) {
    return peer.saidEnd && peer.toldEnd && peer.sending == MPI_REQUEST_NULL;
  });
}

}  // namespace rectiflow::mpi
