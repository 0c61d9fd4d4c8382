// The thread on which all of MPI happens. It takes work from JavaScript, goes on with collectives, messages and heartbeats beside each
// other, and never waits inside MPI. It stays for as long as the process does.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "collective.h"
#include "heartbeat.h"
#include "mail.h"

namespace rectiflow::mpi {

struct Settings {
  int patience;  // milliseconds, until who is not heard of is lost
};

struct Membership {
  int rank = 0, ranks = 1;
  std::vector<std::string> hosts;  // by rank
  std::string library;
};

// All of these are called on the thread of MPI.
struct Events {
  std::function<void(const Membership&)> started;
  std::function<void(const std::string& words)> notStarted;
  std::function<void(int from, std::string bytes)> message;
  // A rank has failed, this one or another: what is asked for from now on fails with the same sentence.
  std::function<void(int from, const std::string& sentence)> failed;
};

// A collective that JavaScript waits for.
struct Job {
  Asked asked;
  std::unique_ptr<Collective> collective;
  std::function<void()> done;
  std::function<void(const std::string& sentence)> failed;
};

class Engine {
 public:
  Engine(Settings settings, Events events) : settings_(settings), events_(std::move(events)) {}

  // The functions below are called on JavaScript's thread. The first one waits until MPI has started, or has failed to.
  void start();
  World& world() { return world_; }
  void add(Job job);
  void send(int to, std::string bytes);
  void fail(std::string sentence);
  // To be called once; `closed` is called when the thread has ended.
  // @param exitCode that the process ends with, should MPI not let it go when all is done
  void close(std::function<void()> closed, int exitCode);
  // JavaScript is alive.
  void touch() { jsSilent_ = 0; }
  uint64_t bytesSent() const { return world_.bytesSent; }
  uint64_t nanosecondsBusy() const { return busy_; }
  // The process exits: ends the thread, if that comes back soon. Nothing is told to the others.
  void leave();

 private:
  using Clock = std::chrono::steady_clock;

  void post(std::function<void()> work);
  void run();
  void join();
  void tellJoined();
  void loop();
  bool takeWork();
  bool advanceJobs();
  void beat();
  void failWith(int from, const std::string& sentence);
  void failEverywhere(const std::string& sentence);
  void lose(const std::string& sentence, int code);
  // Returns whether all has been said and heard.
  bool advanceEnd();
  void rest();
  std::string nameOf(int rank) const;

  const Settings settings_;
  const Events events_;
  std::thread thread_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::function<void()>> posted_;
  bool hasJoined_ = false;
  std::atomic<bool> hasPosted_{false}, leaving_{false}, left_{false};

  // What follows belongs to the thread.
  World world_;
  Membership membership_;
  std::unique_ptr<Mail> mail_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::deque<Job> jobs_;
  uint64_t jobsDone_ = 0;
  // Of collectives that failed half done: others may still write into their memory.
  std::vector<std::unique_ptr<Collective>> abandoned_;
  std::string failure_;
  std::function<void()> closed_;  // since closing is asked for
  int exitCode_ = 0;
  bool toldEnd_ = false;
  int ended_ = 0;  // ranks that have nothing more to say
  Clock::time_point closingSince_, busySince_, moved_;
  std::atomic<uint64_t> busy_{0};
  std::atomic<int> jsSilent_{0};  // beats
};

}  // namespace rectiflow::mpi
