#include "engine.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "watchdog.h"

namespace rectiflow::mpi {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// A patience is so many beats; that of JavaScript, which may compute for long, so many patiences.
constexpr int kBeats = 10, kJsPatience = 6;
// What may take long only where something is wrong, in milliseconds.
constexpr int kUnwind = 5000, kFinalize = 5000, kAbort = 2000, kTold = 300;

// Waiting for others costs no more than this: the core is given away for as long as they usually take, then slept.
constexpr auto kSpin = milliseconds(1);
constexpr auto kNap = microseconds(100), kIdleNap = microseconds(2000);

milliseconds beatInterval(int patience) { return milliseconds(std::max(1, patience / kBeats)); }

}  // namespace

void Engine::start() {
  thread_ = std::thread([this] { run(); });
  // JavaScript's thread waits: libraries below MPI replace functions of the process as they start, which it should not be in.
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait(lock, [this] { return hasJoined_; });
}

void Engine::tellJoined() {
  const std::lock_guard<std::mutex> lock(mutex_);
  hasJoined_ = true;
  wake_.notify_all();
}

void Engine::post(std::function<void()> work) {
  const std::lock_guard<std::mutex> lock(mutex_);
  posted_.push_back(std::move(work));
  hasPosted_ = true;
  wake_.notify_one();
}

void Engine::add(Job job) {
  auto shared = std::make_shared<Job>(std::move(job));
  post([this, shared] {
    if (!failure_.empty()) return shared->failed(failure_);
    if (jobs_.empty()) busySince_ = Clock::now();
    jobs_.push_back(std::move(*shared));
  });
}

void Engine::send(int to, std::string bytes) {
  post([this, to, bytes = std::move(bytes)]() mutable {
    if (to == world_.rank)
      events_.message(to, std::move(bytes));
    else if (failure_.empty() && !toldEnd_)
      mail_->send(to, MailKind::message, std::move(bytes));
  });
}

void Engine::fail(std::string sentence) {
  post([this, sentence = std::move(sentence)] { failEverywhere(sentence); });
}

void Engine::close(std::function<void()> closed, int exitCode) {
  post([this, closed = std::move(closed), exitCode] {
    closed_ = closed;
    exitCode_ = exitCode;
    closingSince_ = Clock::now();
  });
}

void Engine::leave() {
  leaving_ = true;
  wake_.notify_one();
  for (int i = 0; i < 100 && !left_; i++) std::this_thread::sleep_for(milliseconds(10));
  if (thread_.joinable()) left_ ? thread_.join() : thread_.detach();
}

void Engine::run() {
  // Signals are for the threads of Node.js.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  try {
    join();
    tellJoined();
    try {
      loop();
    } catch (const MpiError& error) {
      // Without MPI nobody can be told.
      stopWatchdog();
      failWith(world_.rank, nameOf(world_.rank) + ": " + error.what());
      while (!closed_ && !leaving_) {
        takeWork();
        rest();
      }
    }
    if (closed_) closed_();
  } catch (const MpiError& error) {
    events_.notStarted(error.what());
    tellJoined();
  }
  left_ = true;
}

void Engine::join() {
  int provided = 0;
  RF_MPI(Init_thread, nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  RF_MPI(Comm_set_errhandler, MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  RF_MPI(Comm_rank, MPI_COMM_WORLD, &world_.rank);
  RF_MPI(Comm_size, MPI_COMM_WORLD, &world_.ranks);
  world_.comm = duplicate(MPI_COMM_WORLD);
  membership_.rank = world_.rank;
  membership_.ranks = world_.ranks;

  char own[MPI_MAX_PROCESSOR_NAME] = "", library[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  RF_MPI(Get_processor_name, own, &length);
  std::vector<char> names((size_t)world_.ranks * sizeof own);
  RF_MPI(Allgather, own, (int)sizeof own, MPI_CHAR, names.data(), (int)sizeof own, MPI_CHAR, world_.comm);
  for (int rank = 0; rank < world_.ranks; rank++) membership_.hosts.emplace_back(names.data() + (size_t)rank * sizeof own);
  RF_MPI(Get_library_version, library, &length);
  membership_.library = library;

  mail_ = std::make_unique<Mail>(duplicate(MPI_COMM_WORLD), [this](int from, MailKind kind, std::string bytes) {
    if (kind == MailKind::message) events_.message(from, std::move(bytes));
    if (kind == MailKind::failure) failWith(from, bytes);
    if (kind == MailKind::end) ended_++;
  });
  heartbeat_ = std::make_unique<Heartbeat>(duplicate(MPI_COMM_WORLD), world_.rank, world_.ranks,
                                           beatInterval(settings_.patience), kBeats);
  startWatchdog(nameOf(world_.rank) + ": MPI has not come back for " + std::to_string(settings_.patience / 500) +
                " s: the network, or a machine, is gone. This process ends.");
  events_.started(membership_);
}

void Engine::loop() {
  while (!leaving_) {
    allowMilliseconds(2 * settings_.patience);
    bool moved = takeWork();
    moved = advanceJobs() || moved;
    moved = mail_->advance() || moved;
    beat();
    if (closed_ && advanceEnd()) return;
    if (moved)
      moved_ = Clock::now();
    else
      rest();
  }
  stopWatchdog();
}

bool Engine::takeWork() {
  if (!hasPosted_) return false;
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    work.swap(posted_);
    hasPosted_ = false;
  }
  for (auto& each : work) each();
  return true;
}

bool Engine::advanceJobs() {
  bool moved = false;
  while (!jobs_.empty()) {
    try {
      if (!jobs_.front().collective->advance(&moved)) return moved;
    } catch (const MpiError& error) {
      lose(nameOf(world_.rank) + ": " + error.what() + ". All ranks end.", kRanksLost);
    }
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    jobsDone_++;
    if (jobs_.empty()) busy_ += (uint64_t)std::chrono::nanoseconds(Clock::now() - busySince_).count();
    job.done();
  }
  return moved;
}

void Engine::beat() {
  heartbeat_->setAsked(jobsDone_, jobs_.empty() ? Asked() : jobs_.front().asked);
  if (!heartbeat_->advance()) return;
  if (const int code = heartbeat_->toldToLeave()) {
    // The launcher tells the code of the first to end: rank 0's, which it knows the reason of.
    std::this_thread::sleep_for(milliseconds(kAbort / 2));
    _exit(code);
  }
  const std::vector<int> lost = heartbeat_->lost();
  const std::string seconds = std::to_string((settings_.patience + 500) / 1000) + " s";
  if (!lost.empty()) {
    std::string names;
    for (int rank : lost) names += (names.empty() ? "" : ", ") + nameOf(rank);
    lose(names + (lost.size() == 1 ? " has" : " have") + " not been heard of for " + seconds + ": " +
         (lost.size() == 1 ? "it, or the network to it, is" : "they, or the network to them, are") + " gone. All ranks end.",
         kRanksLost);
  }
  const Heartbeat::Peer* other = world_.rank == 0 ? heartbeat_->disagrees() : nullptr;
  if (other)
    lose("ranks do not do the same: " + nameOf(world_.rank) + " waits for all " + jobs_.front().asked.words + ", " +
         nameOf(other->rank) + " " + other->heard.words +
         ". They need the same version of rectiflow, the same config and the same data. All ranks end.",
         1);  // as the next time
  if (++jsSilent_ > kJsPatience * kBeats)
    lose(nameOf(world_.rank) + " is stuck: its JavaScript has not come back for " +
         std::to_string((kJsPatience * settings_.patience + 500) / 1000) + " s. All ranks end.",
         kRanksLost);
}

// Ends the process, and with it all others that can be reached; returns never.
void Engine::lose(const std::string& sentence, int code) {
  // Whoever knows already why all end says nothing.
  if (failure_.empty()) say("rectiflow: " + sentence);
  allowQuietly(kAbort);
  if (world_.rank == 0) heartbeat_->tellToLeave(code);
  // The others hear it, and the launcher passes on what was said, which some do not once a rank aborts.
  for (int waited = 0; waited < kTold; waited++) {
    heartbeat_->advance();
    std::this_thread::sleep_for(milliseconds(1));
  }
  MPI_Abort(MPI_COMM_WORLD, code);
  _exit(code);
}

void Engine::failEverywhere(const std::string& sentence) {
  if (!failure_.empty()) return;
  for (int rank = 0; rank < world_.ranks && !toldEnd_; rank++)
    if (rank != world_.rank) mail_->send(rank, MailKind::failure, sentence);
  failWith(world_.rank, sentence);
}

void Engine::failWith(int from, const std::string& sentence) {
  if (!failure_.empty()) return;
  failure_ = sentence;
  events_.failed(from, sentence);
  for (Job& job : jobs_) {
    job.failed(sentence);
    abandoned_.push_back(std::move(job.collective));
  }
  jobs_.clear();
}

bool Engine::advanceEnd() {
  const bool failed = !failure_.empty();
  if (!jobs_.empty()) return false;
  if (!toldEnd_) {
    for (int rank = 0; rank < world_.ranks; rank++)
      if (rank != world_.rank) mail_->send(rank, MailKind::end, "");
    toldEnd_ = true;
  }
  const bool allEnded = ended_ == world_.ranks - 1 && mail_->hasSentAll();
  if (failed) {
    // What is left half done keeps MPI from being finalized.
    if (!allEnded && Clock::now() - closingSince_ < milliseconds(kUnwind)) return false;
    stopWatchdog();
    return true;
  }
  if (!allEnded) return false;
  allowMilliseconds(kFinalize);
  heartbeat_->end();
  const Clock::time_point began = Clock::now();
  while (!heartbeat_->hasEnded() && Clock::now() - began < milliseconds(kFinalize)) {
    heartbeat_->advance();
    std::this_thread::sleep_for(microseconds(50));
  }
  // All ranks have done what they had to. MPICH's end may hang over TCP all the same.
  allowQuietly(kFinalize, exitCode_);
  RF_MPI(Finalize);
  stopWatchdog();
  return true;
}

void Engine::rest() {
  const auto idle = Clock::now() - moved_;
  if (!jobs_.empty()) {
    if (idle < kSpin)
      sched_yield();
    else
      std::this_thread::sleep_for(std::min<Clock::duration>(kNap, idle / 20));
    return;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  wake_.wait_for(lock, std::clamp<Clock::duration>(idle / 20, kNap, kIdleNap), [this] { return hasPosted_ || leaving_; });
}

std::string Engine::nameOf(int rank) const {
  return "rank " + std::to_string(rank) + " on " + membership_.hosts[(size_t)rank];
}

}  // namespace rectiflow::mpi
