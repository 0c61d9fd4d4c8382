#pragma once
#include "cpu/core.h"

namespace rectiflow {

// Floating-point operations per second of multiply-adds on registers, on all threads of the pool: over so many seconds, or, of 0,
// those of the best burst in 0.3 s.
double measurePeak(Pool& pool, const KernelTable& table, DType operands, double seconds);

}  // namespace rectiflow
