// Ends the process where its thread of MPI does not come back: neither JavaScript nor MPI is needed for that.
#pragma once
#include <string>

namespace rectiflow::mpi {

// How a process ends that misses other ranks: src/distributed/exit-code.ts has it, too.
constexpr int kRanksLost = 75;

// @param sentence what is said where time ran out
void startWatchdog(std::string sentence);

// The process may go on for so long, from now on. Time in which it is stopped is not counted.
void allowMilliseconds(int milliseconds);

// As above, but nothing is said: it is known already how the process ends.
void allowQuietly(int milliseconds, int exitCode = kRanksLost);

// The process may take all the time it wants.
void stopWatchdog();

// A sentence and a line's end on standard error, at once.
void say(const std::string& sentence);

}  // namespace rectiflow::mpi
