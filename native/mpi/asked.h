// What a rank asks for: all ranks have to ask for the same, in the same order. Where they do not, MPI would wait for ever, or mix what
// belongs to one call with another.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace rectiflow::mpi {

struct Asked {
  std::string words;       // as in a sentence: `to gather`
  uint64_t signature = 0;  // of all that has to be the same on all ranks; never 0 once words are there

  explicit Asked(std::string text = "") : words(std::move(text)) {
    for (char c : words) mix((unsigned char)c);
  }

  // FNV-1a, a number at a time.
  void mix(uint64_t number) { signature = ((signature ? signature : 0xcbf29ce484222325) ^ number) * 0x100000001b3; }

  // A message's tag, so that it is not taken for one of another call; MPI has 15 bits for it.
  int tag() const { return (int)(signature >> 32 & 0x7fff); }
};

}  // namespace rectiflow::mpi
