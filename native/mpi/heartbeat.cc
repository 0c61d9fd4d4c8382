#include "heartbeat.h"

#include <algorithm>
#include <cstdio>

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
  if (!ending_) send(Kind::alive);
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
      peer.heard = heard_;
      if (heard_.kind == Kind::leave) leave_ = heard_.code;
      if (heard_.kind == Kind::end) peer.saidEnd = true;
    }
  }
}

bool Heartbeat::isFree(Peer& peer) {
  int sent = 0;
  RF_MPI(Test, &peer.sending, &sent, MPI_STATUS_IGNORE);
  return sent != 0;
}

void Heartbeat::setAsked(uint64_t done, const Asked& asked) {
  if (own_.done == done && own_.signature == asked.signature) return;
  own_.done = done;
  own_.signature = asked.signature;
  snprintf(own_.words, sizeof own_.words, "%s", asked.words.c_str());
}

const Heartbeat::Peer* Heartbeat::disagrees() const {
  for (const Peer& peer : peers_) {
    const Beat& other = peer.heard;
    const bool bothWait = own_.signature != 0 && other.signature != 0 && own_.done == other.done;
    if (bothWait && own_.signature != other.signature) return &peer;
  }
  return nullptr;
}

// What the last beat still waits for would only pile up: it is skipped.
void Heartbeat::send(Kind kind) {
  for (Peer& peer : peers_)
    if (isFree(peer)) send(peer, kind);
}

void Heartbeat::send(Peer& peer, Kind kind) {
  peer.beat = own_;
  peer.beat.kind = kind;
  RF_MPI(Isend, &peer.beat, (int)sizeof peer.beat, MPI_BYTE, peer.rank, kTag, comm_, &peer.sending);
}

void Heartbeat::sendEnds() {
  for (Peer& peer : peers_) {
    if (!isFree(peer) || peer.toldEnd) continue;
    send(peer, Kind::end);
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
