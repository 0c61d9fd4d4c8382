#include "memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace rectiflow {
namespace {

constexpr size_t kHugePage = 2u << 20;
constexpr size_t kMappedFrom = 4u << 20;

size_t roundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Starts on a huge page's boundary: the kernel backs only whole, aligned ones.
void* mapHuge(size_t bytes) {
  const size_t room = bytes + kHugePage;
  void* mapped = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const uintptr_t begin = (uintptr_t)mapped;
  const uintptr_t data = roundUp(begin, kHugePage);
  if (data > begin) munmap(mapped, data - begin);
  munmap((void*)(data + bytes), begin + room - (data + bytes));
#ifdef MADV_HUGEPAGE
  madvise((void*)data, bytes, MADV_HUGEPAGE);
#endif
  return (void*)data;
}

}  // namespace

void* allocateAligned(size_t bytes) {
  if (bytes > SIZE_MAX / 2) return nullptr;
  if (bytes >= kMappedFrom) return mapHuge(roundUp(bytes, kHugePage));
  void* data = nullptr;
  const size_t padded = roundUp(bytes ? bytes : 1, 64);
  if (posix_memalign(&data, 64, padded) != 0) return nullptr;
  memset(data, 0, padded);
  return data;
}

void freeAligned(void* data, size_t bytes) {
  if (!data) return;
  if (bytes >= kMappedFrom)
    munmap(data, roundUp(bytes, kHugePage));
  else
    free(data);
}

}  // namespace rectiflow
