// Runs programs on libuv's worker threads, one at a time per pool, and settles a promise on the JavaScript thread.
#include "handles.h"

namespace rectiflow {

struct Run {
  napi_env env;
  ProgramHandle* program;
  napi_ref handle = nullptr;  // keeps the program alive until the run is over
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
  std::shared_ptr<char> scratch;  // from its start on
  Listener listener{};
  napi_threadsafe_function tell = nullptr;  // where somebody listens
};

namespace {

void release(Run* run) {
  if (run->work) napi_delete_async_work(run->env, run->work);
  if (run->handle) napi_delete_reference(run->env, run->handle);
  if (run->tell) napi_release_threadsafe_function(run->tell, napi_tsfn_release);
  delete run;
}

void reject(Run* run, const char* text) {
  napi_value message, error;
  if (napi_create_string_utf8(run->env, text, NAPI_AUTO_LENGTH, &message) == napi_ok &&
      napi_create_error(run->env, nullptr, message, &error) == napi_ok)
    napi_reject_deferred(run->env, run->deferred, error);
}

void startNext(PoolHandle& pool) {
  while (!pool.running && !pool.waiting.empty()) {
    Run* run = pool.waiting.front();
    pool.waiting.pop_front();
    run->scratch = run->program->scratch->memory;
    if (napi_queue_async_work(run->env, run->work) == napi_ok) {
      pool.running = run;
    } else {
      run->program->runs--;
      reject(run, "run: Node-API could not queue the work");
      release(run);
    }
  }
}

void execute(napi_env, void* data) {
  const Run& run = *(Run*)data;
  run.program->program.run(run.program->pool->pool.threads(), run.scratch.get(), run.listener);
}

// On the thread of the run. What nodes wrote happens before what JavaScript, and whoever it tells, does then: the queue is locked on
// both sides. In an environment that is being torn down nobody hears it.
void post(void* tell, size_t done) {
  napi_call_threadsafe_function((napi_threadsafe_function)tell, (void*)done, napi_tsfn_nonblocking);
}

// On the JavaScript thread.
void tell(napi_env env, napi_value onDone, void*, void* done) {
  napi_value undefined, count;
  if (!env || napi_get_undefined(env, &undefined) != napi_ok) return;
  if (napi_create_int64(env, (int64_t)(size_t)done, &count) != napi_ok) return;
  napi_call_function(env, undefined, onDone, 1, &count, nullptr);
}

void listen(napi_env env, Run& run, napi_value nodes, napi_value onDone, napi_value name) {
  const uint32_t count = arrayLength(env, nodes, "run: nodes");
  int64_t last = 0;
  for (uint32_t i = 0; i < count; i++) {
    const int64_t end = (int64_t)run.program->program.nodes.size() - 1;
    last = toInteger(env, element(env, nodes, i), last, end, "run: nodes[" + std::to_string(i) + "]");
    run.listener.nodes.push_back(last);
  }
  if (typeOf(env, onDone) != napi_function) throw JsError("run: onDone must be a function");
  check(env, napi_create_threadsafe_function(env, onDone, nullptr, name, 0, 1, nullptr, nullptr, nullptr, tell, &run.tell));
  run.listener.hear = post;
  run.listener.context = run.tell;
}

void complete(napi_env env, napi_status status, void* data) {
  Run* run = (Run*)data;
  const std::shared_ptr<PoolHandle> pool = run->program->pool;
  pool->running = nullptr;
  run->program->runs--;
  startNext(*pool);
  napi_value undefined;
  if (status != napi_ok)
    reject(run, "run: cancelled, because the JavaScript environment is being torn down");
  else if (napi_get_undefined(env, &undefined) == napi_ok)
    napi_resolve_deferred(env, run->deferred, undefined);
  release(run);
}

void requireAttached(napi_env env, const ProgramHandle& program) {
  for (size_t i = 0; i < program.buffers.size(); i++) {
    napi_value buffer;
    bool detached = false;
    check(env, napi_get_reference_value(env, program.buffers[i], &buffer));
    check(env, napi_is_detached_arraybuffer(env, buffer, &detached));
    if (detached)
      throw JsError("run: buffers[" + std::to_string(i) + "] of the program was transferred or detached after compile");
  }
}

}  // namespace

PoolHandle::~PoolHandle() {
  count--;
  for (Run* run : waiting) {
    run->tell = nullptr;  // runs keep the pool: they only wait still where the environment ends, and that has taken it
    release(run);
  }
}

napi_value startRun(napi_env env, napi_value handle, ProgramHandle* program, napi_value nodes, napi_value onDone) {
  requireAttached(env, *program);
  std::unique_ptr<Run, void (*)(Run*)> run(new Run, release);
  run->env = env;
  run->program = program;
  napi_value name, promise;
  check(env, napi_create_string_utf8(env, "rectiflow.run", NAPI_AUTO_LENGTH, &name));
  if (typeOf(env, nodes) != napi_undefined) listen(env, *run, nodes, onDone, name);
  check(env, napi_create_async_work(env, nullptr, name, execute, complete, run.get(), &run->work));
  check(env, napi_create_reference(env, handle, 1, &run->handle));
  check(env, napi_create_promise(env, &run->deferred, &promise));
  program->pool->waiting.push_back(run.get());
  program->runs++;
  run.release();
  startNext(*program->pool);
  return promise;
}

}  // namespace rectiflow
