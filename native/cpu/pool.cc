// The thread pool of core.h.
//
// Every thread has a share of the items, neighbours of each other; once that is done it helps with the shares of others. Where
// kernels number their items by the rows of what they work on, a thread finds what it reads in its own caches: it wrote it
// itself, in the kernel before. Two cores need not have a cache in common, and what one fetches from another's comes slowly.
//
// A share is one 64-bit word: the number of the run (high half) and how many of its items are still unclaimed (low half). A thread
// claims an item by decrementing the word with compare-and-swap, which fails if another run has begun meanwhile. So a thread
// that wakes late does no harm, and run() waits only for threads that hold an item: on a busy machine, or for a short run,
// the caller does not wait for the others to be scheduled.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "../denormals.h"
#include "../placement.h"
#include "core.h"

namespace rectiflow {
namespace {

constexpr auto kSpin = std::chrono::microseconds(50);

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins for a moment; whether the condition came true.
template <class Condition>
bool spin(Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; i++) {
      if (condition()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// What belongs to one thread, on cache lines of its own.
struct alignas(64) Share {
  std::atomic<uint64_t> word{0};
  uint32_t end = 0;  // one past the last item
};

}  // namespace

struct Pool::State {
  alignas(64) std::atomic<uint32_t> current{0};  // the number of the run; its shares are there before it is
  alignas(64) std::atomic<uint32_t> done{0};
  std::atomic<int> sleepers{0};
  std::atomic<bool> callerSleeps{false};
  std::atomic<bool> stop{false};

  // Written before the words are; stable while an item of the run is unfinished.
  Task task = nullptr;
  void* context = nullptr;
  uint32_t items = 0;

  std::mutex mutex;
  std::condition_variable workAvailable, allDone;
  std::vector<Share> shares;
  std::vector<std::thread> workers;

  int threads() const { return (int)shares.size(); }

  void divide(uint32_t count) {
    items = count;
    done = 0;
    const uint32_t run = current.load() + 1, all = (uint32_t)threads();
    for (uint32_t thread = 0, begin = 0; thread < all; thread++) {
      Share& share = shares[thread];
      share.end = (uint32_t)((uint64_t)count * (thread + 1) / all);
      share.word = (uint64_t)run << 32 | (share.end - begin);
      begin = share.end;
    }
    current = run;
  }

  void work(int thread) {
    uint32_t finished = 0, total = 0;
    for (int i = 0; i < threads(); i++) {
      Share& share = shares[(thread + i) % threads()];
      uint64_t seen = share.word.load(std::memory_order_acquire);
      while ((uint32_t)seen != 0) {
        if (!share.word.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
        total = items;
        task(context, (int64_t)(share.end - (uint32_t)seen), thread);
        finished++;
        seen = share.word.load(std::memory_order_acquire);
      }
    }
    if (finished && done.fetch_add(finished) + finished == total && callerSleeps.load()) {
      std::lock_guard<std::mutex> lock(mutex);
      allDone.notify_one();
    }
  }

  void workerLoop(int thread) {
    const FlushDenormals flush;
    const OwnProcessor processor(thread, threads());
    uint32_t seen = 0;
    const auto called = [&] { return current.load() != seen || stop.load(); };
    while (!stop.load()) {
      if (!spin(called)) {
        std::unique_lock<std::mutex> lock(mutex);
        sleepers++;
        workAvailable.wait(lock, called);
        sleepers--;
      }
      seen = current.load();
      work(thread);
    }
  }

  void wake(uint32_t wanted) {
    const int asleep = sleepers.load();
    if (!asleep) return;
    { std::lock_guard<std::mutex> lock(mutex); }
    if ((int64_t)wanted >= asleep) return workAvailable.notify_all();
    for (uint32_t i = 0; i < wanted; i++) workAvailable.notify_one();
  }

  void join() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      stop = true;
    }
    workAvailable.notify_all();
    for (auto& worker : workers) worker.join();
  }
};

Pool::Pool(int threads) : state_(nullptr) {
  auto state = std::make_unique<State>();
  state->shares = std::vector<Share>(threads);
  state->workers.reserve(threads - 1);
  state_ = state.release();
  try {
    for (int thread = 1; thread < threads; thread++)
      state_->workers.emplace_back([state = state_, thread] { state->workerLoop(thread); });
  } catch (...) {
    state_->join();
    delete state_;
    throw;
  }
}

Pool::~Pool() {
  state_->join();
  delete state_;
}

int Pool::threads() const { return state_->threads(); }

void Pool::run(int64_t items, Task task, void* context) {
  if (items <= 1 || state_->workers.empty()) {
    for (int64_t item = 0; item < items; item++) task(context, item, 0);
    return;
  }
  if (items > (int64_t)UINT32_MAX) {
    fprintf(stderr, "rectiflow: a CPU kernel asked for %lld work items; the pool counts up to 2^32 - 1\n", (long long)items);
    abort();
  }
  State& s = *state_;
  s.task = task;
  s.context = context;
  s.divide((uint32_t)items);
  s.wake((uint32_t)items - 1);
  s.work(0);
  const auto finished = [&s] { return s.done.load() == s.items; };
  if (spin(finished)) return;
  std::unique_lock<std::mutex> lock(s.mutex);
  s.callerSleeps = true;
  s.allDone.wait(lock, finished);
  s.callerSleeps = false;
}

}  // namespace rectiflow
