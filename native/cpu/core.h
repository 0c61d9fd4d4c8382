// What a CPU kernel sees of the world: tensors, attributes, the thread pool and scratch memory.
//
// Kernels are compiled once per instruction set, each time into its own namespace (RF_NS). This header is shared by all of
// those objects, so nothing in it may be an inline function or a template whose code the linker could merge: an AVX-512 copy
// of it would then run on every machine. For the same reason kernels use no containers and no algorithms of the C++ library.
#pragma once
#include <cstddef>
#include <cstdint>

namespace rectiflow {

enum class DType : int32_t { Float32 = 0, BFloat16 = 1, Int32 = 2 };

constexpr int kMaxRank = 8;

// Dense and row-major.
struct Tensor {
  void* data;  // nullptr: an optional output that nobody wants
  DType dtype;
  int32_t rank;
  int64_t shape[kMaxRank];
  int64_t size;  // product of shape
};

// A named attribute of an op: one number or a list of them. Booleans are 0 or 1; strings are encoded by the caller.
struct Attribute {
  const char* name;
  const double* values;
  int32_t count;
};

// A fixed set of threads that work through numbered items. Each begins with its share of neighbouring items, then takes what
// others have left, so number items by the rows that they work on: those stay with the thread whose caches know them. A
// kernel whose result depends on the number of threads has itself to blame: let each item own its outputs, and sum partial
// results in the order of the items.
class Pool {
 public:
  using Task = void (*)(void* context, int64_t item, int thread);

  explicit Pool(int threads);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const;
  // Calls task(context, item, thread) once for every item in [0, items); returns when all are done.
  void run(int64_t items, Task task, void* context);

 private:
  struct State;
  State* state_;
};

// Memory for what kernels make on their way: a piece that all threads share, and one for each of them. The kernels of a program
// use it one after the other. There is none while they are bound: then they say how much they need, and here is the most so far.
struct Scratch {
  char* data = nullptr;
  int64_t shared = 0, perThread = 0;  // bytes, whole cache lines

  int64_t bytes(int threads) const;
};

// One op of a program, ready to run.
struct Call {
  const Tensor* inputs;
  int32_t inputCount;
  const Tensor* outputs;
  int32_t outputCount;
  const Attribute* attributes;
  int32_t attributeCount;
  Pool* pool;
  Scratch* scratch;

  // Scratch memory for this kernel, in bytes. False where there is none, because the kernel is being bound: it then returns, having
  // touched no tensor's data. The sizes follow from shapes, dtypes, attributes and the number of threads. Ask outside of pool->run().
  bool reserve(int64_t shared, int64_t perThread) const;
  // What was reserved: 64-byte aligned, with undefined contents.
  void* shared() const;
  void* own(int thread) const;

  // The attribute's first value; fallback where the op does not carry it.
  double number(const char* name, double fallback) const;
  // The whole attribute, or nullptr.
  const Attribute* attribute(const char* name) const;
};

using KernelFunction = void (*)(const Call& call);

struct Kernel {
  const char* op;  // the op's name in src/ops
  KernelFunction run;
  bool reserves = false;  // scratch memory: it is called once when it is bound
};

// What there is for one instruction set.
struct KernelTable {
  const char* isa;
  const Kernel* kernels;  // ends with one that has no op
  // Does multiply-adds of float32 or bf16 operands on all threads; returns how many floating-point operations that were.
  int64_t (*multiplyAddBurst)(Pool* pool, DType operands, int64_t rounds);
};

}  // namespace rectiflow
