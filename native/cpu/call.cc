// What a kernel asks of its Call (core.h). For all instruction sets together, so compiled for none of them.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core.h"

namespace rectiflow {
namespace {

constexpr int64_t kLine = 64;

int64_t wholeLines(int64_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

}  // namespace

int64_t Scratch::bytes(int threads) const { return shared + threads * perThread; }

bool Call::reserve(int64_t shared, int64_t perThread) const {
  Scratch& s = *scratch;
  if (shared <= s.shared && perThread <= s.perThread) return s.data;
  if (s.data) {
    fprintf(stderr, "rectiflow: a CPU kernel wants %lld + %lld bytes of scratch and was bound with %lld + %lld\n",
            (long long)shared, (long long)perThread, (long long)s.shared, (long long)s.perThread);
    abort();
  }
  if (shared > s.shared) s.shared = wholeLines(shared);
  if (perThread > s.perThread) s.perThread = wholeLines(perThread);
  return false;
}

void* Call::shared() const { return scratch->data; }

void* Call::own(int thread) const { return scratch->data + scratch->shared + thread * scratch->perThread; }

const Attribute* Call::attribute(const char* name) const {
  for (int32_t i = 0; i < attributeCount; i++)
    if (strcmp(attributes[i].name, name) == 0) return &attributes[i];
  return nullptr;
}

double Call::number(const char* name, double fallback) const {
  const Attribute* found = attribute(name);
  return found && found->count ? found->values[0] : fallback;
}

}  // namespace rectiflow
