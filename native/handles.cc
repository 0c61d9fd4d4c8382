#include "handles.h"

namespace rectiflow {
namespace {

constexpr napi_type_tag kMemoryTag = {0x7265637469666c6fULL, 0x776d656d6f000001ULL};
constexpr napi_type_tag kPoolTag = {0x7265637469666c6fULL, 0x77706f6f6c000001ULL};
constexpr napi_type_tag kProgramTag = {0x7265637469666c6fULL, 0x7770726f67000001ULL};

napi_value wrap(napi_env env, void* data, napi_finalize finalize, const napi_type_tag& tag) {
  napi_value object;
  check(env, napi_create_object(env, &object));
  check(env, napi_type_tag_object(env, object, &tag));
  check(env, napi_wrap(env, object, data, finalize, nullptr, nullptr));
  return object;
}

bool isTagged(napi_env env, napi_value value, const napi_type_tag& tag) {
  bool tagged = false;
  if (typeOf(env, value) == napi_object) check(env, napi_check_object_type_tag(env, value, &tag, &tagged));
  return tagged;
}

void* unwrap(napi_env env, napi_value value, const napi_type_tag& tag, const std::string& name, const char* what) {
  if (!isTagged(env, value, tag)) throw JsError(name + " must be a " + what);
  void* data;
  if (napi_unwrap(env, value, &data) != napi_ok) throw JsError(name + " was released");
  return data;
}

// The object owns its native half no more.
template <class T>
std::unique_ptr<T> remove(napi_env env, napi_value value) {
  void* data;
  check(env, napi_remove_wrap(env, value, &data));
  return std::unique_ptr<T>((T*)data);
}

}  // namespace

std::atomic<int64_t> PoolHandle::count{0}, ProgramHandle::count{0};

ProgramHandle::~ProgramHandle() {
  count--;
  for (napi_ref buffer : buffers) napi_delete_reference(env, buffer);
}

void ProgramHandle::takeScratch() {
  std::shared_ptr<SharedScratch> shared = pool->scratch.lock();
  if (!shared) pool->scratch = shared = std::make_shared<SharedScratch>();
  shared->grow((size_t)scratchBytes());
  scratch = std::move(shared);
}

napi_value wrapMemory(napi_env env, std::unique_ptr<Memory> memory) {
  const auto finalize = [](napi_env, void*, void* memory) { delete (Memory*)memory; };
  napi_value buffer;
  // Node.js finalizes what it refuses because it is too large: it is never ours again.
  Memory* const owned = memory.release();
  check(env, napi_create_external_arraybuffer(env, owned->data, owned->bytes, finalize, owned, &buffer));
  check(env, napi_type_tag_object(env, buffer, &kMemoryTag));
  check(env, napi_wrap(env, buffer, owned, nullptr, nullptr, nullptr));
  return buffer;
}

napi_value wrapPool(napi_env env, std::shared_ptr<PoolHandle> pool) {
  auto owned = std::make_unique<std::shared_ptr<PoolHandle>>(std::move(pool));
  const auto finalize = [](napi_env, void* data, void*) { delete (std::shared_ptr<PoolHandle>*)data; };
  napi_value object = wrap(env, owned.get(), finalize, kPoolTag);
  owned.release();
  return object;
}

napi_value wrapProgram(napi_env env, std::unique_ptr<ProgramHandle> program) {
  const auto finalize = [](napi_env, void* data, void*) { delete (ProgramHandle*)data; };
  napi_value object = wrap(env, program.get(), finalize, kProgramTag);
  program.release();
  return object;
}

std::shared_ptr<PoolHandle> unwrapPool(napi_env env, napi_value value, const std::string& name) {
  return *(std::shared_ptr<PoolHandle>*)unwrap(env, value, kPoolTag, name, "pool made by createPool");
}

ProgramHandle* unwrapProgram(napi_env env, napi_value value, const std::string& name) {
  return (ProgramHandle*)unwrap(env, value, kProgramTag, name, "program made by compile");
}

void releaseHandle(napi_env env, napi_value value) {
  if (isTagged(env, value, kProgramTag)) {
    if (unwrapProgram(env, value, "release: the program")->runs > 0)
      throw JsError("release: the program is in the middle of a run; await it first");
    remove<ProgramHandle>(env, value);
  } else if (isTagged(env, value, kPoolTag)) {
    unwrapPool(env, value, "release: the pool");
    remove<std::shared_ptr<PoolHandle>>(env, value);
  } else {
    Memory* const memory = (Memory*)unwrap(env, value, kMemoryTag, "release: its argument", "pool, a program or memory made by allocate");
    check(env, napi_detach_arraybuffer(env, value));
    // The buffer's finalizer deletes it.
    remove<Memory>(env, value).release();
    memory->free();
  }
}

}  // namespace rectiflow
