#include "memory.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

namespace rectiflow {
namespace {

constexpr size_t kHugePage = 2u << 20;
constexpr size_t kAlignment = 64;
// Memory of its own from this size on. What is left behind the last whole huge page takes ordinary ones, of smaller tensors too much.
constexpr size_t kMappedFrom = 16u << 20;
constexpr size_t kPage = 64u << 10;  // whole pages, where ordinary ones have 4, 16 or 64 KiB
// A part of a block below that and from this size on. What is smaller never spans many pages.
constexpr size_t kBlockFrom = 64u << 10;
constexpr size_t kBlock = 32u << 20;

size_t roundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Starts at a multiple of `alignment`, itself one of the huge page's size: the kernel backs only whole, aligned ones.
void* mapHuge(size_t bytes, size_t alignment) {
  const size_t room = bytes + alignment;
  void* mapped = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  const uintptr_t begin = (uintptr_t)mapped;
  const uintptr_t data = roundUp(begin, alignment);
  if (data > begin) munmap(mapped, data - begin);
  munmap((void*)(data + bytes), begin + room - (data + bytes));
#ifdef MADV_HUGEPAGE
  madvise((void*)data, bytes, MADV_HUGEPAGE);
#endif
  return (void*)data;
}

// Tensors of some hundred kilobytes or some megabytes, such as weights and their moments, one behind the other on huge pages. On pages of 4 KiB
// of their own they take a miss of the translation buffer every 64 lines, which in a virtual machine can cost more than the
// data does. A block lies at a multiple of its size, which leads from a tensor to its block; it begins with this. A tensor goes to
// the oldest block that still has room behind its last one, so that small tensors fill what large ones leave.
struct alignas(kAlignment) Block {
  size_t used = sizeof(Block);
  // Bytes that were handed out before, so are no longer zero.
  size_t touched = sizeof(Block);
  size_t tensors = 0;
  Block* next = nullptr;  // newer
};

std::mutex blockMutex;
Block* oldestBlock = nullptr;

void* takeFrom(Block* block, size_t bytes) {
  char* const data = (char*)block + block->used;
  if (block->touched > block->used) memset(data, 0, bytes < block->touched - block->used ? bytes : block->touched - block->used);
  block->used += bytes;
  if (block->touched < block->used) block->touched = block->used;
  block->tensors++;
  return data;
}

void* takeFromBlocks(size_t bytes) {
  const std::lock_guard<std::mutex> lock(blockMutex);
  Block** at = &oldestBlock;
  for (; *at; at = &(*at)->next)
    if ((*at)->used + bytes <= kBlock) return takeFrom(*at, bytes);
  void* const mapped = mapHuge(kBlock, kBlock);
  if (!mapped) return nullptr;
  *at = new (mapped) Block;
  return takeFrom(*at, bytes);
}

// An empty block goes back to the system, but for the newest, which the next tensor is likely to need.
void giveBack(void* data) {
  const std::lock_guard<std::mutex> lock(blockMutex);
  Block* const block = (Block*)((uintptr_t)data / kBlock * kBlock);
  if (--block->tensors > 0) return;
  if (!block->next) {
    block->used = sizeof(Block);
    return;
  }
  Block** at = &oldestBlock;
  while (*at != block) at = &(*at)->next;
  *at = block->next;
  munmap(block, kBlock);
}

std::atomic<size_t> held{0};

void* take(size_t bytes) {
  if (bytes > SIZE_MAX / 2) return nullptr;
  const size_t padded = roundUp(bytes ? bytes : 1, kAlignment);
  if (bytes >= kMappedFrom) return mapHuge(roundUp(bytes, kPage), kHugePage);
  if (bytes >= kBlockFrom) return takeFromBlocks(padded);
  void* data = nullptr;
  if (posix_memalign(&data, kAlignment, padded) != 0) return nullptr;
  memset(data, 0, padded);
  return data;
}

}  // namespace

size_t bytesHeld() { return held; }

void* allocateAligned(size_t bytes) {
  void* const data = take(bytes);
  if (data) held += bytes;
  return data;
}

void freeAligned(void* data, size_t bytes) {
  if (!data) return;
  held -= bytes;
  if (bytes >= kMappedFrom)
    munmap(data, roundUp(bytes, kPage));
  else if (bytes >= kBlockFrom)
    giveBack(data);
  else
    free(data);
}

}  // namespace rectiflow
