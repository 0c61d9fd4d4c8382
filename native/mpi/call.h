// MPI as this addon calls it: C functions, whose errors are exceptions that name the function and have MPI's own words.
#pragma once
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <stdexcept>
#include <string>

namespace rectiflow::mpi {

struct MpiError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void checkCall(int code, const char* function) {
  if (code == MPI_SUCCESS) return;
  char words[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, words, &length);
  throw MpiError(std::string(function) + ": " + std::string(words, (size_t)length));
}

// RF_MPI(Comm_rank, comm, &rank) calls MPI_Comm_rank.
#define RF_MPI(name, ...) ::rectiflow::mpi::checkCall(MPI_##name(__VA_ARGS__), "MPI_" #name)

// A duplicate, whose messages meet no others and whose errors are returned.
inline MPI_Comm duplicate(MPI_Comm comm) {
  MPI_Comm copy;
  RF_MPI(Comm_dup, comm, &copy);
  RF_MPI(Comm_set_errhandler, copy, MPI_ERRORS_RETURN);
  return copy;
}

}  // namespace rectiflow::mpi
