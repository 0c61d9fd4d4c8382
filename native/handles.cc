#include "handles.h"

namespace rectiflow {
namespace {

constexpr napi_type_tag kPoolTag = {0x7265637469666c6fULL, 0x77706f6f6c000001ULL};
constexpr napi_type_tag kProgramTag = {0x7265637469666c6fULL, 0x7770726f67000001ULL};

napi_value wrap(napi_env env, void* data, napi_finalize finalize, const napi_type_tag& tag) {
  napi_value object;
  check(env, napi_create_object(env, &object));
  check(env, napi_type_tag_object(env, object, &tag));
  check(env, napi_wrap(env, object, data, finalize, nullptr, nullptr));
  return object;
}

void* unwrap(napi_env env, napi_value value, const napi_type_tag& tag, const std::string& expectation) {
  bool tagged = false;
  if (typeOf(env, value) == napi_object) check(env, napi_check_object_type_tag(env, value, &tag, &tagged));
  if (!tagged) throw JsError(expectation);
  void* data;
  check(env, napi_unwrap(env, value, &data));
  return data;
}

}  // namespace

ProgramHandle::~ProgramHandle() {
  for (napi_ref buffer : buffers) napi_delete_reference(env, buffer);
}

void ProgramHandle::takeScratch() {
  std::shared_ptr<SharedScratch> shared = pool->scratch.lock();
  if (!shared) pool->scratch = shared = std::make_shared<SharedScratch>();
  shared->grow((size_t)scratchBytes());
  scratch = std::move(shared);
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
  return *(std::shared_ptr<PoolHandle>*)unwrap(env, value, kPoolTag, name + " must be a pool made by createPool");
}

ProgramHandle* unwrapProgram(napi_env env, napi_value value, const std::string& name) {
  return (ProgramHandle*)unwrap(env, value, kProgramTag, name + " must be a program made by compile");
}

}  // namespace rectiflow
