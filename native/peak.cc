// Times the bursts of cpu/peak.cc. The clock is here because kernels use nothing of the C++ library.
#include "peak.h"

#include <chrono>

#include "denormals.h"
#include "placement.h"

namespace rectiflow {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

constexpr double kBurst = 0.01, kSearch = 0.3;  // seconds

}  // namespace

// Of the best burst, interruptions only ever slow one down. The first ones wake the threads and bring the clock rate up.
double measurePeak(Pool& pool, const KernelTable& table, DType operands, double seconds) {
  const FlushDenormals flush;
  const OwnProcessor processor(0, pool.threads());
  const Clock::time_point start = Clock::now();
  int64_t rounds = 256;
  double best = 0, all = 0, elapsed = 0;
  do {
    const Clock::time_point begin = Clock::now();
    const double operations = (double)table.multiplyAddBurst(&pool, operands, rounds);
    const double burst = secondsSince(begin);
    if (operations / burst > best) best = operations / burst;
    if (burst < kBurst) rounds *= 2;
    all += operations;
    elapsed = secondsSince(start);
  } while (elapsed < (seconds > 0 ? seconds : kSearch));
  return seconds > 0 ? all / elapsed : best;
}

}  // namespace rectiflow
