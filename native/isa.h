// Which instruction sets this build has kernels for, and which of them this machine can run.
#pragma once
#include <string>
#include <vector>

#include "cpu/core.h"

namespace rectiflow {

// Best first; "portable" is always there.
std::vector<const KernelTable*> supportedTables();
// nullptr when unknown or not supported by this machine.
const KernelTable* findTable(const std::string& isa);
const Kernel* findKernel(const KernelTable& table, const std::string& op);

// The processor's name, or "" where it has none to tell.
std::string cpuBrand();

}  // namespace rectiflow
