// Memory for tensors and scratch: 64-byte aligned, on huge pages where it is large.
#pragma once
#include <cstddef>

namespace rectiflow {

// Zeroed; nullptr when the system has none left. Free with the same size.
void* allocateAligned(size_t bytes);
void freeAligned(void* data, size_t bytes);
// Handed out by the former, and not freed.
size_t bytesHeld();

}  // namespace rectiflow
