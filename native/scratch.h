// The scratch memory (cpu/core.h) that the programs of a pool share.
#pragma once
#include <cstddef>
#include <memory>

namespace rectiflow {

// As much as the most demanding program needs, for as long as there is a program: no two of a pool run at once.
struct SharedScratch {
  size_t bytes = 0;
  std::shared_ptr<char> memory;  // a run holds what it began with, whatever is compiled meanwhile

  // Throws OutOfMemory; what is there stays.
  void grow(size_t wanted);
};

}  // namespace rectiflow
