#include "isa.h"

#include <cstring>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace rectiflow {

namespace portable {
extern const KernelTable kernelTable;
}
#if defined(RF_X64_KERNELS)
namespace avx2 {
extern const KernelTable kernelTable;
}
namespace avx512 {
extern const KernelTable kernelTable;
}
#endif
#if defined(RF_AVX512_BF16_KERNELS)
namespace avx512_bf16 {
extern const KernelTable kernelTable;
}
#endif

// __builtin_cpu_supports also asks whether the operating system saves the wide registers (XCR0).
std::vector<const KernelTable*> supportedTables() {
  std::vector<const KernelTable*> tables;
#if defined(RF_X64_KERNELS)
  __builtin_cpu_init();
  const bool hasAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool hasAvx512 = hasAvx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#if defined(RF_AVX512_BF16_KERNELS)
  if (hasAvx512 && __builtin_cpu_supports("avx512bf16")) tables.push_back(&avx512_bf16::kernelTable);
#endif
  if (hasAvx512) tables.push_back(&avx512::kernelTable);
  if (hasAvx2) tables.push_back(&avx2::kernelTable);
#endif
  tables.push_back(&portable::kernelTable);
  return tables;
}

const KernelTable* findTable(const std::string& isa) {
  for (const KernelTable* table : supportedTables())
    if (isa == table->isa) return table;
  return nullptr;
}

const Kernel* findKernel(const KernelTable& table, const std::string& op) {
  for (const Kernel* kernel = table.kernels; kernel->op; kernel++)
    if (op == kernel->op) return kernel;
  return nullptr;
}

std::string cpuBrand() {
#if defined(__x86_64__)
  unsigned words[12];
  for (unsigned i = 0; i < 3; i++)
    if (!__get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3])) return "";
  const char* text = (const char*)words;
  std::string brand(text, strnlen(text, sizeof words));
  const size_t first = brand.find_first_not_of(' ');
  if (first == std::string::npos) return "";
  return brand.substr(first, brand.find_last_not_of(' ') - first + 1);
#else
  return "";
#endif
}

}  // namespace rectiflow
