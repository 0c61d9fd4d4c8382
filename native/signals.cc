// A thread that ends the process where JavaScript is too busy to hear a signal.
//
// Node.js only notes a signal; its handler runs when JavaScript comes back to the event loop, which an endless computation never
// does. So the note goes to this thread too: if JavaScript has not said within the time given that it heard, the process leaves.
#include "signals.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

namespace rectiflow {
namespace {

constexpr int kSignals = 65;
constexpr int kLook = 50;  // milliseconds between two looks whether it was heard
constexpr char kMessage[] = "Left at once: what was being computed could not be interrupted.\n";

// What a handler touches is lock-free or never changes once the handler is in place.
struct sigaction previous[kSignals];
int codes[kSignals];
int notes[2] = {-1, -1};
std::atomic<int> arrived{0}, heard{0}, last{0};

void note(int signal) {
  const int saved = errno;
  last = signal;
  arrived++;
  const char byte = 0;
  // A full pipe has woken the thread already.
  if (write(notes[1], &byte, 1) < 0) errno = saved;
  if (previous[signal].sa_handler != SIG_DFL && previous[signal].sa_handler != SIG_IGN) previous[signal].sa_handler(signal);
  errno = saved;
}

void watch(Patience patience) {
  using Clock = std::chrono::steady_clock;
  char bytes[64];
  for (;;) {
    pollfd entry = {notes[0], POLLIN, 0};
    if (poll(&entry, 1, -1) < 0) continue;
    if (read(notes[0], bytes, sizeof bytes) < 0) continue;
    const Clock::time_point begin = Clock::now();
    while (heard < arrived) {
      const int limit = arrived - heard > 1 ? patience.again : patience.first;
      if (Clock::now() - begin > std::chrono::milliseconds(limit)) {
        if (write(STDERR_FILENO, kMessage, sizeof kMessage - 1) < 0) errno = 0;
        _exit(codes[last]);
      }
      poll(nullptr, 0, kLook);
    }
  }
}

void start(Patience patience) {
  if (notes[0] >= 0) return;
  if (pipe(notes) < 0) throw std::system_error(errno, std::generic_category(), "pipe");
  for (int end : notes) fcntl(end, F_SETFD, FD_CLOEXEC);
  fcntl(notes[1], F_SETFL, O_NONBLOCK);
  // The thread takes no signals itself.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread(watch, patience).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

void guardSignal(int signal, int code, Patience patience) {
  start(patience);
  codes[signal] = code;
  struct sigaction action;
  if (sigaction(signal, nullptr, &action) < 0) throw std::system_error(errno, std::generic_category(), "sigaction");
  if (action.sa_handler == note) return;
  previous[signal] = action;
  action.sa_handler = note;
  if (sigaction(signal, &action, nullptr) < 0) throw std::system_error(errno, std::generic_category(), "sigaction");
}

void hearSignals() { heard = arrived.load(); }

}  // namespace rectiflow
