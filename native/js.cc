#include "js.h"

#include <cmath>
#include <cstdio>
#include <new>

namespace rectiflow {

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) throw PendingException();
  const napi_extended_error_info* details = nullptr;
  napi_get_last_error_info(env, &details);
  throw JsError(std::string("Node-API: ") + (details && details->error_message ? details->error_message : "unknown error"));
}

napi_valuetype typeOf(napi_env env, napi_value value) {
  napi_valuetype type;
  check(env, napi_typeof(env, value, &type));
  return type;
}

static const char* describe(napi_valuetype type) {
  switch (type) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_boolean: return "a boolean";
    case napi_number: return "a number";
    case napi_string: return "a string";
    case napi_symbol: return "a symbol";
    case napi_object: return "an object";
    case napi_function: return "a function";
    case napi_external: return "an external";
    case napi_bigint: return "a bigint";
  }
  return "something else";
}

static void expectType(napi_env env, napi_value value, napi_valuetype wanted, const std::string& name) {
  const napi_valuetype found = typeOf(env, value);
  if (found != wanted) throw JsError(name + " must be " + describe(wanted) + ", got " + describe(found));
}

double toNumber(napi_env env, napi_value value, const std::string& name) {
  expectType(env, value, napi_number, name);
  double number;
  check(env, napi_get_value_double(env, value, &number));
  return number;
}

int64_t toInteger(napi_env env, napi_value value, int64_t minimum, int64_t maximum, const std::string& name) {
  const double number = toNumber(env, value, name);
  if (!(number >= (double)minimum && number <= (double)maximum && number == std::floor(number))) {
    char found[32];
    snprintf(found, sizeof found, "%.15g", number);
    throw JsError(name + " must be a whole number from " + std::to_string(minimum) + " to " + std::to_string(maximum) + ", got " +
                  found);
  }
  return (int64_t)number;
}

std::string toString(napi_env env, napi_value value, const std::string& name) {
  expectType(env, value, napi_string, name);
  size_t length;
  check(env, napi_get_value_string_utf8(env, value, nullptr, 0, &length));
  std::string text(length, '\0');
  check(env, napi_get_value_string_utf8(env, value, &text[0], length + 1, &length));
  return text;
}

uint32_t arrayLength(napi_env env, napi_value value, const std::string& name) {
  bool isArray;
  check(env, napi_is_array(env, value, &isArray));
  if (!isArray) throw JsError(name + " must be an array, got " + describe(typeOf(env, value)));
  uint32_t length;
  check(env, napi_get_array_length(env, value, &length));
  return length;
}

napi_value element(napi_env env, napi_value array, uint32_t index) {
  napi_value value;
  check(env, napi_get_element(env, array, index, &value));
  return value;
}

napi_value property(napi_env env, napi_value object, const char* key, const std::string& name) {
  expectType(env, object, napi_object, name);
  napi_value value;
  check(env, napi_get_named_property(env, object, key, &value));
  return value;
}

napi_value makeString(napi_env env, const std::string& text) {
  napi_value value;
  check(env, napi_create_string_utf8(env, text.data(), text.size(), &value));
  return value;
}

napi_value makeNumber(napi_env env, double number) {
  napi_value value;
  check(env, napi_create_double(env, number, &value));
  return value;
}

Arguments getArguments(napi_env env, napi_callback_info info, size_t count, const char* usage) {
  Arguments arguments;
  size_t found = kMaxArguments;
  check(env, napi_get_cb_info(env, info, &found, arguments.values, nullptr, nullptr));
  if (found < count)
    throw JsError(std::string(usage) + " takes " + std::to_string(count) + " arguments, got " + std::to_string(found));
  return arguments;
}

void rethrowToJavaScript(napi_env env) {
  constexpr char kNoMemory[] = "ENOMEM";
  try {
    throw;
  } catch (const PendingException&) {
  } catch (const OutOfMemory& error) {
    napi_throw_error(env, kNoMemory, error.what());
  } catch (const std::bad_alloc&) {
    napi_throw_error(env, kNoMemory, "out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
}

}  // namespace rectiflow
