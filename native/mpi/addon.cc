// MPI as a Node-API module, built once for each library of it. Its functions are typed and described in src/distributed/native.ts.
#include <cstring>

#include "../js.h"
#include "engine.h"

namespace rectiflow::mpi {
namespace {

// There is one MPI in a process, and it is never started again. It is never freed: its thread may outlive JavaScript.
Engine* engine = nullptr;
napi_threadsafe_function toJavaScript = nullptr;
napi_ref onMessage = nullptr, onFailure = nullptr;

using Task = std::function<void(napi_env)>;

// Runs a function on JavaScript's thread, later. Called on any thread.
void inJavaScript(Task task) {
  auto* held = new Task(std::move(task));
  if (napi_call_threadsafe_function(toJavaScript, held, napi_tsfn_nonblocking) != napi_ok) delete held;
}

void runTask(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Task> task((Task*)data);
  if (!env) return;  // JavaScript has ended
  try {
    (*task)(env);
  } catch (...) {
    rethrowToJavaScript(env);
  }
}

napi_value makeBytes(napi_env env, const std::string& bytes) {
  void* data;
  napi_value buffer, view;
  check(env, napi_create_arraybuffer(env, bytes.size(), &data, &buffer));
  if (!bytes.empty()) memcpy(data, bytes.data(), bytes.size());
  check(env, napi_create_typedarray(env, napi_uint8_array, bytes.size(), buffer, 0, &view));
  return view;
}

void* typedArray(napi_env env, napi_value value, napi_typedarray_type wanted, size_t* length, const std::string& name) {
  bool isTyped = false;
  check(env, napi_is_typedarray(env, value, &isTyped));
  napi_typedarray_type type = napi_int8_array;
  void* data = nullptr;
  if (isTyped) check(env, napi_get_typedarray_info(env, value, &type, length, &data, nullptr, nullptr));
  if (!isTyped || type != wanted) throw JsError(name + " must be a typed array of the right kind");
  return data;
}

std::string toBytes(napi_env env, napi_value value, const std::string& name) {
  size_t length = 0;
  const void* data = typedArray(env, value, napi_uint8_array, &length, name);
  return std::string((const char*)data, length);
}

Engine& started() {
  if (!engine) throw JsError("start() has not been called");
  return *engine;
}

void call(napi_env env, napi_ref function, std::initializer_list<napi_value> arguments) {
  napi_value callback, undefined;
  check(env, napi_get_reference_value(env, function, &callback));
  check(env, napi_get_undefined(env, &undefined));
  check(env, napi_call_function(env, undefined, callback, arguments.size(), arguments.begin(), nullptr));
}

void resolve(napi_env env, napi_deferred deferred, napi_value value) {
  if (!value) check(env, napi_get_undefined(env, &value));
  check(env, napi_resolve_deferred(env, deferred, value));
}

void reject(napi_env env, napi_deferred deferred, const std::string& words) {
  napi_value error;
  check(env, napi_create_error(env, nullptr, makeString(env, words), &error));
  check(env, napi_reject_deferred(env, deferred, error));
}

napi_value describe(napi_env env, const Membership& membership) {
  napi_value result, hosts;
  check(env, napi_create_object(env, &result));
  check(env, napi_create_array(env, &hosts));
  for (size_t i = 0; i < membership.hosts.size(); i++)
    check(env, napi_set_element(env, hosts, (uint32_t)i, makeString(env, membership.hosts[i])));
  check(env, napi_set_named_property(env, result, "rank", makeNumber(env, membership.rank)));
  check(env, napi_set_named_property(env, result, "ranks", makeNumber(env, membership.ranks)));
  check(env, napi_set_named_property(env, result, "hosts", hosts));
  check(env, napi_set_named_property(env, result, "library", makeString(env, membership.library)));
  return result;
}

napi_value start(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 3, "start(patience, onMessage, onFailure)");
  if (engine) throw JsError("MPI was started in this process already, and can be started only once");
  const int patience = (int)toInteger(env, arguments[0], 1, 1000000000, "start: patience");
  check(env, napi_create_reference(env, arguments[1], 1, &onMessage));
  check(env, napi_create_reference(env, arguments[2], 1, &onFailure));
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, makeString(env, "rectiflow MPI"), 0, 1, nullptr, nullptr,
                                             nullptr, runTask, &toJavaScript));
  napi_deferred deferred;
  napi_value promise;
  check(env, napi_create_promise(env, &deferred, &promise));
  Events events;
  events.started = [deferred](const Membership& membership) {
    inJavaScript([deferred, membership](napi_env env) { resolve(env, deferred, describe(env, membership)); });
  };
  events.notStarted = [deferred](const std::string& words) {
    inJavaScript([deferred, words](napi_env env) { reject(env, deferred, words); });
    napi_release_threadsafe_function(toJavaScript, napi_tsfn_release);
  };
  events.message = [](int from, std::string bytes) {
    inJavaScript([from, bytes = std::move(bytes)](napi_env env) {
      call(env, onMessage, {makeNumber(env, from), makeBytes(env, bytes)});
    });
  };
  events.failed = [](int from, const std::string& sentence) {
    inJavaScript([from, sentence](napi_env env) { call(env, onFailure, {makeNumber(env, from), makeString(env, sentence)}); });
  };
  engine = new Engine({patience}, std::move(events));
  check(env, napi_add_env_cleanup_hook(env, [](void*) { engine->leave(); }, nullptr));
  engine->start();
  return promise;
}

// Hands a collective over. `held` is kept alive until it is done; `result`, if any, makes what the promise gives.
napi_value hand(napi_env env, Asked asked, std::unique_ptr<Collective> collective, napi_value held,
                std::function<napi_value(napi_env)> result) {
  napi_ref reference;
  check(env, napi_create_reference(env, held, 1, &reference));
  napi_deferred deferred;
  napi_value promise;
  check(env, napi_create_promise(env, &deferred, &promise));
  Job job;
  job.asked = std::move(asked);
  job.collective = std::move(collective);
  job.done = [deferred, reference, result = std::move(result)] {
    inJavaScript([deferred, reference, result](napi_env env) {
      napi_delete_reference(env, reference);
      resolve(env, deferred, result ? result(env) : nullptr);
    });
  };
  // What was half done is kept: others may still write to it.
  job.failed = [deferred](const std::string& sentence) {
    inJavaScript([deferred, sentence](napi_env env) { reject(env, deferred, sentence); });
  };
  started().add(std::move(job));
  return promise;
}

// The arrays of a call: each rank has the numbers from one cut to the next.
Streams readStreams(napi_env env, napi_value arrays, napi_value cuts, size_t ranks, Asked* asked) {
  const uint32_t count = arrayLength(env, arrays, "arrays");
  size_t cutCount = 0;
  const double* cut = (const double*)typedArray(env, cuts, napi_float64_array, &cutCount, "cuts");
  if (cutCount != count * (ranks + 1)) throw JsError("cuts must be one more than ranks for each array");
  Streams streams(ranks);
  uint64_t numbers = 0;
  for (uint32_t i = 0; i < count; i++, cut += ranks + 1) {
    size_t length = 0;
    float* data = (float*)typedArray(env, element(env, arrays, i), napi_float32_array, &length, "arrays");
    numbers += length;
    for (size_t rank = 0; rank < ranks; rank++) {
      asked->mix((uint64_t)cut[rank]);
      if (!(cut[rank] >= 0 && cut[rank] <= cut[rank + 1] && cut[rank + 1] <= (double)length))
        throw JsError("cuts must not decrease, nor leave their array");
      streams[rank].append(data + (size_t)cut[rank], (size_t)(cut[rank + 1] - cut[rank]));
    }
  }
  asked->words += std::to_string(numbers) + " numbers of " + std::to_string(count) + " arrays";
  return streams;
}

napi_value sum(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 3, "sumRanges(arrays, cuts, wire)");
  World& world = started().world();
  const Wire wire = toString(env, arguments[2], "sumRanges: wire") == "bf16" ? Wire::bf16 : Wire::fp32;
  Asked asked(wire == Wire::bf16 ? "to sum, rounded, " : "to sum ");
  Streams streams = readStreams(env, arguments[0], arguments[1], (size_t)world.ranks, &asked);
  auto collective = sumRanges(world, std::move(streams), wire, asked.tag());
  return hand(env, std::move(asked), std::move(collective), arguments[0], nullptr);
}

napi_value share(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 2, "shareRanges(arrays, cuts)");
  World& world = started().world();
  Asked asked("to share ");
  Streams streams = readStreams(env, arguments[0], arguments[1], (size_t)world.ranks, &asked);
  auto collective = shareRanges(world, std::move(streams), asked.tag());
  return hand(env, std::move(asked), std::move(collective), arguments[0], nullptr);
}

napi_value gather(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 1, "gather(bytes)");
  const auto all = std::make_shared<std::vector<std::string>>();
  auto collective = gatherBytes(started().world(), toBytes(env, arguments[0], "gather: bytes"), all);
  return hand(env, Asked("to gather"), std::move(collective), arguments[0], [all](napi_env env) {
    napi_value result;
    check(env, napi_create_array(env, &result));
    for (size_t i = 0; i < all->size(); i++) check(env, napi_set_element(env, result, (uint32_t)i, makeBytes(env, (*all)[i])));
    return result;
  });
}

napi_value send(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 2, "send(to, bytes)");
  const int to = (int)toInteger(env, arguments[0], 0, started().world().ranks - 1, "send: to");
  started().send(to, toBytes(env, arguments[1], "send: bytes"));
  return nullptr;
}

napi_value fail(napi_env env, napi_callback_info info) {
  const Arguments arguments = getArguments(env, info, 1, "fail(sentence)");
  started().fail(toString(env, arguments[0], "fail: sentence"));
  return nullptr;
}

napi_value close(napi_env env, napi_callback_info info) {
  const int exitCode = (int)toInteger(env, getArguments(env, info, 1, "close(exitCode)")[0], 0, 255, "close: exitCode");
  napi_deferred deferred;
  napi_value promise;
  check(env, napi_create_promise(env, &deferred, &promise));
  started().close([deferred] {
    inJavaScript([deferred](napi_env env) { resolve(env, deferred, nullptr); });
    napi_release_threadsafe_function(toJavaScript, napi_tsfn_release);
  }, exitCode);
  return promise;
}

napi_value alive(napi_env, napi_callback_info) {
  started().touch();
  return nullptr;
}

napi_value traffic(napi_env env, napi_callback_info) {
  napi_value result;
  check(env, napi_create_object(env, &result));
  check(env, napi_set_named_property(env, result, "bytes", makeNumber(env, (double)started().bytesSent())));
  check(env, napi_set_named_property(env, result, "seconds", makeNumber(env, (double)started().nanosecondsBusy() * 1e-9)));
  return result;
}

napi_value initialise(napi_env env, napi_value exports) {
  try {
    exportFunction<start>(env, exports, "start");
    exportFunction<sum>(env, exports, "sumRanges");
    exportFunction<share>(env, exports, "shareRanges");
    exportFunction<gather>(env, exports, "gather");
    exportFunction<send>(env, exports, "send");
    exportFunction<fail>(env, exports, "fail");
    exportFunction<alive>(env, exports, "alive");
    exportFunction<traffic>(env, exports, "traffic");
    exportFunction<close>(env, exports, "close");
  } catch (...) {
    rethrowToJavaScript(env);
  }
  return exports;
}

}  // namespace
}  // namespace rectiflow::mpi

NAPI_MODULE_INIT() { return rectiflow::mpi::initialise(env, exports); }
