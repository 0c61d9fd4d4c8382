// Who is still there: every rank tells rank 0 in every beat, and rank 0 all others. What is not heard of for as many beats as patience has
// is lost. Beats are counted, not time: a process that was stopped for a while, with all others, misses none. A beat also says what its rank
// waits for, so that rank 0 finds out where ranks wait for different things.
#pragma once
#include <chrono>
#include <cstdint>
#include <vector>

#include "asked.h"
#include "call.h"

namespace rectiflow::mpi {

class Heartbeat {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Kind : int32_t { alive, leave, end };
  // As it is sent.
  struct Beat {
    Kind kind = Kind::alive;
    int32_t code = 0;
    uint64_t done = 0, signature = 0;
    char words[96] = "";
  };
  struct Peer {
    int rank;
    Beat beat = {}, heard = {};
    MPI_Request sending = MPI_REQUEST_NULL;
    int silent = 0;  // beats
    bool toldEnd = false, saidEnd = false;
  };

  Heartbeat(MPI_Comm comm, int rank, int ranks, Clock::duration interval, int patience);

  // Hears, and beats when it is time to. Returns true where it was.
  bool advance();
  // What this rank waits for, after so many collectives.
  void setAsked(uint64_t done, const Asked& asked);
  // Ranks that have not been heard of for all of the patience.
  std::vector<int> lost() const;
  // A rank that waits for something else than this one, after as many collectives; nullptr where there is none.
  const Peer* disagrees() const;
  // The exit code with which this rank is to end, where rank 0 has said why all do; 0 where it has not.
  int toldToLeave() const { return leave_; }

  // Rank 0 tells all that they end, once they hear of it, and with which exit code.
  void tellToLeave(int code) {
    own_.code = code;
    send(Kind::leave);
  }
  // Tells that no more beats follow, and waits for the same of the others: over once hasEnded().
  void end() { ending_ = true; }
  bool hasEnded() const;

 private:
  void hear();
  void send(Kind kind);
  void send(Peer& peer, Kind kind);
  void sendEnds();
  bool isFree(Peer& peer);

  const MPI_Comm comm_;
  const Clock::duration interval_;
  const int patience_;
  std::vector<Peer> peers_;
  Clock::time_point next_;
  Beat own_, heard_;
  MPI_Request hearing_ = MPI_REQUEST_NULL;
  int leave_ = 0;
  bool ending_ = false;
};

}  // namespace rectiflow::mpi
