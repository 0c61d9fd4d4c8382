// Times the bursts of cpu/peak.cc. The clock is here because kernels use nothing of the C++ library.
#include "peak.h"

#include <chrono>

#include "denormals.h"
#include "placement.h"

namespace rectiflow {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

constexpr double kBurst = 0.01, kAll = 0.3;  // seconds

}  // namespace

// The best burst counts: interruptions only ever slow one down. The first ones wake the threads and bring the clock rate up.
double measurePeak(Pool& pool, const KernelTable& table, DType operands) {
  const FlushDenormals flush;
  const OwnProcessor processor(0, pool.threads());
  const Clock::time_point start = Clock::now();
  int64_t rounds = 256;
  double best = 0;
  do {
    const Clock::time_point begin = Clock::now();
    const double operations = (double)table.multiplyAddBurst(&pool, operands, rounds);
    const double seconds = secondsSince(begin);
    if (operations / seconds > best) best = operations / seconds;
    if (seconds < kBurst) rounds *= 2;
  } while (secondsSince(start) < kAll);
  return best;
}

}  // namespace rectiflow
