// Where threads run. When a pool has a thread for every processor, each gets one of its own: the scheduler often wakes a thread
// on the processor of the one that woke it, and then needs longer to move it than a short program takes to run. With fewer
// threads than processors the choice stays with the scheduler, which also sees what else the machine is doing.
#pragma once
#if defined(__linux__)
#include <sched.h>
#endif

namespace rectiflow {

// Keeps the current thread on the index-th processor that it may use, for as long as this lives; does nothing unless `threads`
// is the number of those processors.
class OwnProcessor {
 public:
#if defined(__linux__)
  OwnProcessor(int index, int threads) {
    if (threads < 2 || sched_getaffinity(0, sizeof saved_, &saved_) != 0 || CPU_COUNT(&saved_) != threads) return;
    cpu_set_t own;
    CPU_ZERO(&own);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
      if (CPU_ISSET(cpu, &saved_) && index-- == 0) CPU_SET(cpu, &own);
    changed_ = sched_setaffinity(0, sizeof own, &own) == 0;
  }
  ~OwnProcessor() {
    if (changed_) sched_setaffinity(0, sizeof saved_, &saved_);
  }

 private:
  cpu_set_t saved_;
  bool changed_ = false;
#else
  OwnProcessor(int, int) {}
#endif
  OwnProcessor(const OwnProcessor&) = delete;
  OwnProcessor& operator=(const OwnProcessor&) = delete;
};

}  // namespace rectiflow
