// A compiled program: kernels bound to their tensors, run in order by one call.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "cpu/core.h"

namespace rectiflow {

// One kernel call with what its Call points to.
struct Node {
  const Kernel* kernel = nullptr;
  std::vector<Tensor> inputs, outputs;
  std::deque<std::string> names;
  std::vector<std::vector<double>> values;
  std::vector<Attribute> attributes;
  Call call{};
  std::atomic<int64_t> nanoseconds{0};  // of all runs; read while a run is going on

  void addAttribute(std::string name, std::vector<double> numbers);
  // Lets the kernel say what scratch memory it needs; the node stays where it is.
  void bind(Pool* pool, Scratch* scratch);
};

// Who hears, on the thread that runs a program, that nodes are done.
struct Listener {
  std::vector<int64_t> nodes;  // indices, in order
  void (*hear)(void* context, size_t done);  // how many of those
  void* context;
};

struct Program {
  std::deque<Node> nodes;
  Scratch scratch;  // that the nodes' calls point to
  std::atomic<int64_t> runs{0};

  // Runs every node in order on the calling thread and the pool's others, `threads` in all, and adds up the time of each.
  // memory: scratch.bytes(threads) of them, for this run.
  void run(int threads, char* memory, const Listener& listener);
};

}  // namespace rectiflow
