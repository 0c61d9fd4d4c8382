// A thin layer over Node-API: values are read with a name for the error message, failures are C++ exceptions.
#pragma once
#include <node_api.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace rectiflow {

// Becomes a JavaScript Error with this message.
struct JsError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Its error has the code ENOMEM.
struct OutOfMemory : JsError {
  using JsError::JsError;
};

// A JavaScript exception is pending already.
struct PendingException {};

void check(napi_env env, napi_status status);

napi_valuetype typeOf(napi_env env, napi_value value);
double toNumber(napi_env env, napi_value value, const std::string& name);
// A whole number in [minimum, maximum].
int64_t toInteger(napi_env env, napi_value value, int64_t minimum, int64_t maximum, const std::string& name);
std::string toString(napi_env env, napi_value value, const std::string& name);
uint32_t arrayLength(napi_env env, napi_value value, const std::string& name);
napi_value element(napi_env env, napi_value array, uint32_t index);
napi_value property(napi_env env, napi_value object, const char* key, const std::string& name);

napi_value makeString(napi_env env, const std::string& text);
napi_value makeNumber(napi_env env, double number);

// The arguments of a call; fewer than wanted is an error.
constexpr size_t kMaxArguments = 4;
struct Arguments {
  napi_value values[kMaxArguments];
  napi_value operator[](size_t i) const { return values[i]; }
};
Arguments getArguments(napi_env env, napi_callback_info info, size_t count, const char* usage);

// To be called where an exception was caught: makes it a JavaScript exception.
void rethrowToJavaScript(napi_env env);

// Turns exceptions of the function into JavaScript exceptions.
template <napi_value (*Function)(napi_env, napi_callback_info)>
napi_value guarded(napi_env env, napi_callback_info info) {
  try {
    return Function(env, info);
  } catch (...) {
    rethrowToJavaScript(env);
  }
  return nullptr;
}

template <napi_value (*Function)(napi_env, napi_callback_info)>
void exportFunction(napi_env env, napi_value exports, const char* name) {
  napi_value function;
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, guarded<Function>, nullptr, &function));
  check(env, napi_set_named_property(env, exports, name, function));
}

}  // namespace rectiflow
