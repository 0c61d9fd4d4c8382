// What JavaScript holds: memory, pools and compiled programs, as tagged objects that own their native half until they are released.
// One that is forgotten is released when it is collected.
#pragma once
#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "js.h"
#include "memory.h"
#include "program.h"
#include "scratch.h"

namespace rectiflow {

struct Run;

// Of an ArrayBuffer.
struct Memory {
  explicit Memory(size_t bytes) : data(allocateAligned(bytes)), bytes(bytes) {}
  ~Memory() { free(); }
  void free() {
    freeAligned(data, bytes);
    data = nullptr;
  }

  void* data;
  size_t bytes;
};

// A pool serves one run at a time; further runs wait here in order. Used on the JavaScript thread only, but for pool.run().
struct PoolHandle {
  explicit PoolHandle(int threads) : pool(threads) { count++; }
  ~PoolHandle();

  static std::atomic<int64_t> count;

  Pool pool;
  std::weak_ptr<SharedScratch> scratch;  // of its programs
  Run* running = nullptr;
  std::deque<Run*> waiting;
};

struct ProgramHandle {
  ProgramHandle(napi_env env, std::shared_ptr<PoolHandle> pool) : env(env), pool(std::move(pool)) { count++; }
  ~ProgramHandle();

  static std::atomic<int64_t> count;

  napi_env env;
  std::shared_ptr<PoolHandle> pool;
  std::vector<napi_ref> buffers;  // the tensors' memory, kept alive
  Program program;
  std::shared_ptr<SharedScratch> scratch;  // nullptr until the program may run

  // Scratch memory that the program needs, in bytes.
  int64_t scratchBytes() const { return program.scratch.bytes(pool->pool.threads()); }
  // Shares the pool's with its other programs. Throws OutOfMemory.
  void takeScratch();
  int runs = 0;  // that are going on or wait
};

napi_value wrapMemory(napi_env env, std::unique_ptr<Memory> memory);
napi_value wrapPool(napi_env env, std::shared_ptr<PoolHandle> pool);
napi_value wrapProgram(napi_env env, std::unique_ptr<ProgramHandle> program);
// Throw where the value is something else, or was released; name is for the message.
std::shared_ptr<PoolHandle> unwrapPool(napi_env env, napi_value value, const std::string& name);
ProgramHandle* unwrapProgram(napi_env env, napi_value value, const std::string& name);

// Gives back what memory, a pool or a program holds, at once but for a pool's threads, which end with its last program. An
// ArrayBuffer is detached: no program that was compiled with it can run any more. Releasing twice is an error.
void releaseHandle(napi_env env, napi_value value);

// Reads and checks a program's description (see src/backends/cpu/native.ts) and binds it to the kernels of an instruction set.
// isPlaced: every tensor has memory; else some may have none, and the program is not to be run.
std::unique_ptr<ProgramHandle> readProgram(napi_env env, std::shared_ptr<PoolHandle> pool, const KernelTable& table,
                                           napi_value description, bool isPlaced);

// Runs the program off the JavaScript thread once the pool is free. -> Promise<void>
// nodes, onDone: undefined, or indices in order and a function that is told, meanwhile, how many of those nodes are done.
napi_value startRun(napi_env env, napi_value handle, ProgramHandle* program, napi_value nodes, napi_value onDone);

}  // namespace rectiflow
