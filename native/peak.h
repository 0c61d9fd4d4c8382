#pragma once
#include "cpu/core.h"

namespace rectiflow {

// Floating-point operations per second of multiply-adds on registers, on all threads of the pool. Takes about 0.3 s.
double measurePeak(Pool& pool, const KernelTable& table, DType operands);

}  // namespace rectiflow
