#include "scratch.h"

#include "js.h"
#include "memory.h"

namespace rectiflow {

void SharedScratch::grow(size_t wanted) {
  if (memory && wanted <= bytes) return;
  char* const data = (char*)allocateAligned(wanted);
  if (!data)
    throw OutOfMemory("compile: out of memory: the kernels need " + std::to_string(wanted) +
                      " bytes of scratch memory, which the system refused");
  memory = std::shared_ptr<char>(data, [wanted](char* given) { freeAligned(given, wanted); });
  bytes = wanted;
}

}  // namespace rectiflow
