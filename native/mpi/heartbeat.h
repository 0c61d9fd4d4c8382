// Who is still there: every rank tells rank 0 in every beat, and rank 0 all others. What is not heard of for as many beats as patience has
// is lost. Beats are counted, not time: a process that was stopped for a while, with all others, misses none.
#pragma once
#include <chrono>
#include <cstdint>
#include <vector>

#include "call.h"

namespace rectiflow::mpi {

class Heartbeat {
 public:
  using Clock = std::chrono::steady_clock;

  Heartbeat(MPI_Comm comm, int rank, int ranks, Clock::duration interval, int patience);

  // Hears, and beats when it is time to. Returns true where it was.
  bool advance();
  // Ranks that have not been heard of for all of the patience.
  std::vector<int> lost() const;
  // Rank 0 has said why all end.
  bool isToldToLeave() const { return leave_; }

  // Rank 0 tells all that they end, once they hear of it.
  void tellToLeave() { send(Beat::leave); }
  // Tells that no more beats follow, and waits for the same of the others: over once hasEnded().
  void end() { ending_ = true; }
  bool hasEnded() const;

 private:
  enum class Beat : int32_t { alive, leave, end };
  struct Peer {
    int rank;
    Beat beat = Beat::alive;
    MPI_Request sending = MPI_REQUEST_NULL;
    int silent = 0;  // beats
    bool toldEnd = false, saidEnd = false;
  };

  void hear();
  void send(Beat beat);
  void sendEnds();
  bool isFree(Peer& peer);

  const MPI_Comm comm_;
  const Clock::duration interval_;
  const int patience_;
  std::vector<Peer> peers_;
  Clock::time_point next_;
  Beat heard_ = Beat::alive;
  MPI_Request hearing_ = MPI_REQUEST_NULL;
  bool leave_ = false, ending_ = false;
};

}  // namespace rectiflow::mpi
