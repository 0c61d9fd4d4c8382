// The native half of the CPU backend as a Node-API module. Its functions are typed and described in src/backends/cpu/native.ts.
#include <unistd.h>

#include <system_error>

#include "handles.h"
#include "isa.h"
#include "memory.h"
#include "peak.h"
#include "signals.h"

namespace rectiflow {
namespace {

constexpr int64_t kMaxThreads = 1024;

napi_value features(napi_env env, napi_callback_info) {
  napi_value result, isas;
  check(env, napi_create_object(env, &result));
  check(env, napi_create_array(env, &isas));
  uint32_t count = 0;
  for (const KernelTable* table : supportedTables()) check(env, napi_set_element(env, isas, count++, makeString(env, table->isa)));
  check(env, napi_set_named_property(env, result, "isas", isas));
  check(env, napi_set_named_property(env, result, "cpu", makeString(env, cpuBrand())));
#if defined(_SC_LEVEL2_CACHE_SIZE)
  const long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE), l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (l2 > 0) check(env, napi_set_named_property(env, result, "l2", makeNumber(env, (double)l2)));
  if (l3 > 0) check(env, napi_set_named_property(env, result, "l3", makeNumber(env, (double)l3)));
#endif
  return result;
}

napi_value allocate(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 1, "allocate(bytes)");
  const size_t bytes = (size_t)toInteger(env, arguments[0], 0, INT64_C(1) << 52, "allocate: bytes");
  auto memory = std::make_unique<Memory>(bytes);
  if (!memory->data) throw OutOfMemory("allocate: out of memory: the system refused " + std::to_string(bytes) + " bytes");
  return wrapMemory(env, std::move(memory));
}

napi_value release(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 1, "release(memory, pool or program)");
  releaseHandle(env, arguments[0]);
  return nullptr;
}

napi_value createPool(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 1, "createPool(threads)");
  const int threads = (int)toInteger(env, arguments[0], 1, kMaxThreads, "createPool: threads");
  try {
    return wrapPool(env, std::make_shared<PoolHandle>(threads));
  } catch (const std::system_error& error) {
    throw JsError("createPool: the system refused to start " + std::to_string(threads) + " threads: " + error.what() +
                  "; ask for fewer");
  }
}

const KernelTable& tableArgument(napi_env env, napi_value value, const std::string& name) {
  const std::string isa = toString(env, value, name);
  if (const KernelTable* table = findTable(isa)) return *table;
  std::string known;
  for (const KernelTable* table : supportedTables()) known += (known.empty() ? "" : ", ") + std::string(table->isa);
  throw JsError(name + " must be an instruction set of this machine (" + known + "), got " + isa);
}

napi_value kernels(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 1, "kernels(isa)");
  const KernelTable& table = tableArgument(env, arguments[0], "kernels: isa");
  napi_value names;
  check(env, napi_create_array(env, &names));
  uint32_t count = 0;
  for (const Kernel* kernel = table.kernels; kernel->op; kernel++)
    check(env, napi_set_element(env, names, count++, makeString(env, kernel->op)));
  return names;
}

napi_value compile(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 3, "compile(pool, isa, description)");
  std::shared_ptr<PoolHandle> pool = unwrapPool(env, arguments[0], "compile: pool");
  const KernelTable& table = tableArgument(env, arguments[1], "compile: isa");
  std::unique_ptr<ProgramHandle> program = readProgram(env, std::move(pool), table, arguments[2], true);
  program->takeScratch();
  return wrapProgram(env, std::move(program));
}

napi_value scratch(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 3, "scratch(pool, isa, description)");
  std::shared_ptr<PoolHandle> pool = unwrapPool(env, arguments[0], "scratch: pool");
  const KernelTable& table = tableArgument(env, arguments[1], "scratch: isa");
  return makeNumber(env, (double)readProgram(env, std::move(pool), table, arguments[2], false)->scratchBytes());
}

napi_value held(napi_env env, napi_callback_info) {
  napi_value result;
  check(env, napi_create_object(env, &result));
  check(env, napi_set_named_property(env, result, "bytes", makeNumber(env, (double)bytesHeld())));
  check(env, napi_set_named_property(env, result, "pools", makeNumber(env, (double)PoolHandle::count)));
  check(env, napi_set_named_property(env, result, "programs", makeNumber(env, (double)ProgramHandle::count)));
  return result;
}

napi_value run(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 1, "run(program)");
  return startRun(env, arguments[0], unwrapProgram(env, arguments[0], "run: program"), arguments[1], arguments[2]);
}

napi_value profile(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 1, "profile(program)");
  const Program& program = unwrapProgram(env, arguments[0], "profile: program")->program;
  napi_value result, nanoseconds;
  check(env, napi_create_object(env, &result));
  check(env, napi_create_array_with_length(env, program.nodes.size(), &nanoseconds));
  uint32_t index = 0;
  for (const Node& node : program.nodes)
    check(env, napi_set_element(env, nanoseconds, index++, makeNumber(env, (double)node.nanoseconds)));
  check(env, napi_set_named_property(env, result, "runs", makeNumber(env, (double)program.runs)));
  check(env, napi_set_named_property(env, result, "nanoseconds", nanoseconds));
  return result;
}

napi_value peak(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 4, "measurePeak(pool, isa, precision, milliseconds)");
  const std::shared_ptr<PoolHandle> pool = unwrapPool(env, arguments[0], "measurePeak: pool");
  const KernelTable& table = tableArgument(env, arguments[1], "measurePeak: isa");
  const std::string precision = toString(env, arguments[2], "measurePeak: precision");
  if (precision != "fp32" && precision != "bf16")
    throw JsError("measurePeak: precision must be fp32 or bf16, got " + precision);
  if (pool->running) throw JsError("measurePeak: the pool is in the middle of a run; await it first");
  const double seconds = 1e-3 * (double)toInteger(env, arguments[3], 0, 60000, "measurePeak: milliseconds");
  return makeNumber(env, measurePeak(pool->pool, table, precision == "bf16" ? DType::BFloat16 : DType::Float32, seconds));
}

napi_value guard(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 4, "guardSignal(signal, code, first, again)");
  const int signal = (int)toInteger(env, arguments[0], 1, 31, "guardSignal: signal");
  const int code = (int)toInteger(env, arguments[1], 0, 255, "guardSignal: code");
  const int first = (int)toInteger(env, arguments[2], 0, 60000, "guardSignal: first");
  const int again = (int)toInteger(env, arguments[3], 0, 60000, "guardSignal: again");
  guardSignal(signal, code, {first, again});
  return nullptr;
}

napi_value hear(napi_env, napi_callback_info) {
  hearSignals();
  return nullptr;
}

napi_value leave(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 1, "leave(code)");
  _exit((int)toInteger(env, arguments[0], 0, 255, "leave: code"));
}

napi_value initialise(napi_env env, napi_value exports) {
  try {
    exportFunction<features>(env, exports, "features");
    exportFunction<allocate>(env, exports, "allocate");
    exportFunction<release>(env, exports, "release");
    exportFunction<createPool>(env, exports, "createPool");
    exportFunction<kernels>(env, exports, "kernels");
    exportFunction<compile>(env, exports, "compile");
    exportFunction<scratch>(env, exports, "scratch");
    exportFunction<held>(env, exports, "held");
    exportFunction<run>(env, exports, "run");
    exportFunction<profile>(env, exports, "profile");
    exportFunction<peak>(env, exports, "measurePeak");
    exportFunction<guard>(env, exports, "guardSignal");
    exportFunction<hear>(env, exports, "hearSignals");
    exportFunction<leave>(env, exports, "leave");
  } catch (...) {
    rethrowToJavaScript(env);
  }
  return exports;
}

}  // namespace
}  // namespace rectiflow

NAPI_MODULE_INIT() { return rectiflow::initialise(env, exports); }
