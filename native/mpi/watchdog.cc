#include "watchdog.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <thread>

namespace rectiflow::mpi {
namespace {

constexpr int kTick = 100;  // milliseconds

std::atomic<int> ticksLeft{INT_MAX};
std::atomic<bool> quiet{false};
std::atomic<int> lastCode{kRanksLost};

}  // namespace

void say(const std::string& sentence) {
  const std::string line = sentence + "\n";
  // Where standard error is closed, nothing can be said.
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

void startWatchdog(std::string sentence) {
  std::thread([sentence = std::move(sentence)] {
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kTick));
      if (ticksLeft.load() == INT_MAX || --ticksLeft > 0) continue;
      if (!quiet) say(sentence);
      _exit(lastCode);
    }
  }).detach();
}

void allowMilliseconds(int milliseconds) { ticksLeft.store(milliseconds / kTick + 1, std::memory_order_relaxed); }

void allowQuietly(int milliseconds, int exitCode) {
  lastCode = exitCode;
  quiet = true;
  allowMilliseconds(milliseconds);
}

void stopWatchdog() { ticksLeft = INT_MAX; }

}  // namespace rectiflow::mpi
