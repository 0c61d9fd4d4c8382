// Reads a program's description. Everything native code relies on is checked here; the shapes that ops ask of each other are
// checked in TypeScript before.
#include "handles.h"
#include "isa.h"

namespace rectiflow {
namespace {

struct Buffer {
  char* data;
  size_t bytes;
};

struct Named {
  const char* name;
  DType dtype;
  int64_t bytes;
};
constexpr Named kDTypes[] = {
    {"float32", DType::Float32, 4},
    {"bfloat16", DType::BFloat16, 2},
    {"int32", DType::Int32, 4},
};

const Named& readDType(napi_env env, napi_value value, const std::string& name) {
  const std::string text = toString(env, value, name);
  for (const Named& candidate : kDTypes)
    if (text == candidate.name) return candidate;
  throw JsError(name + " must be float32, bfloat16 or int32, got " + text);
}

std::vector<Buffer> readBuffers(napi_env env, napi_value array, ProgramHandle& handle) {
  std::vector<Buffer> buffers;
  const uint32_t count = arrayLength(env, array, "compile: buffers");
  for (uint32_t i = 0; i < count; i++) {
    napi_value value = element(env, array, i);
    bool isBuffer = false;
    check(env, napi_is_arraybuffer(env, value, &isBuffer));
    if (!isBuffer) throw JsError("compile: buffers[" + std::to_string(i) + "] must be an ArrayBuffer");
    void* data;
    size_t bytes;
    check(env, napi_get_arraybuffer_info(env, value, &data, &bytes));
    buffers.push_back({(char*)data, bytes});
    napi_ref reference;
    check(env, napi_create_reference(env, value, 1, &reference));
    handle.buffers.push_back(reference);
  }
  return buffers;
}

// Memory of no address and any size, for tensors of a program that is not to be run.
constexpr Buffer kNowhere = {nullptr, (size_t)INT64_MAX};

Tensor readTensor(napi_env env, napi_value value, const std::vector<Buffer>& buffers, int64_t lowest, const std::string& name) {
  const int64_t bufferIndex =
      toInteger(env, property(env, value, "buffer", name), lowest, (int64_t)buffers.size() - 1, name + ".buffer");
  const Buffer& buffer = bufferIndex < 0 ? kNowhere : buffers[bufferIndex];
  const int64_t offset = toInteger(env, property(env, value, "offset", name), 0, INT64_C(1) << 52, name + ".offset");
  const Named& type = readDType(env, property(env, value, "dtype", name), name + ".dtype");
  if ((uintptr_t)(buffer.data + offset) % type.bytes)
    throw JsError(name + ".offset must be a multiple of " + std::to_string(type.bytes) + " bytes for " + type.name + ", got " +
                  std::to_string(offset));

  napi_value shape = property(env, value, "shape", name);
  const uint32_t rank = arrayLength(env, shape, name + ".shape");
  if (rank > (uint32_t)kMaxRank)
    throw JsError(name + ".shape has " + std::to_string(rank) + " axes, at most " + std::to_string(kMaxRank) + " are supported");
  Tensor tensor{};
  tensor.data = buffer.data + offset;
  tensor.dtype = type.dtype;
  tensor.rank = (int32_t)rank;
  tensor.size = 1;
  for (uint32_t axis = 0; axis < rank; axis++) {
    tensor.shape[axis] = toInteger(env, element(env, shape, axis), 1, INT64_C(1) << 48,
                                   name + ".shape[" + std::to_string(axis) + "]");
    if (__builtin_mul_overflow(tensor.size, tensor.shape[axis], &tensor.size)) throw JsError(name + ".shape is too large");
  }
  int64_t bytes, end;
  if (__builtin_mul_overflow(tensor.size, type.bytes, &bytes) || __builtin_add_overflow(offset, bytes, &end) ||
      end > (int64_t)buffer.bytes)
    throw JsError(name + " ends beyond its buffer: offset " + std::to_string(offset) + " and " + std::to_string(tensor.size) +
                  " elements of " + type.name + " do not fit in the " + std::to_string(buffer.bytes) + " bytes of buffers[" +
                  std::to_string(bufferIndex) + "]");
  return tensor;
}

// lowest: -1 where operands may be left out; such a tensor has no data.
std::vector<Tensor> readOperands(napi_env env, napi_value indices, const std::vector<Tensor>& tensors, int64_t lowest,
                                 const std::string& name) {
  std::vector<Tensor> operands;
  const uint32_t count = arrayLength(env, indices, name);
  for (uint32_t i = 0; i < count; i++) {
    const int64_t index = toInteger(env, element(env, indices, i), lowest, (int64_t)tensors.size() - 1,
                                    name + "[" + std::to_string(i) + "]");
    operands.push_back(index < 0 ? Tensor{} : tensors[index]);
  }
  return operands;
}

std::vector<double> readAttribute(napi_env env, napi_value value, const std::string& name) {
  bool isArray;
  check(env, napi_is_array(env, value, &isArray));
  if (!isArray) return {toNumber(env, value, name)};
  std::vector<double> numbers;
  const uint32_t count = arrayLength(env, value, name);
  for (uint32_t i = 0; i < count; i++)
    numbers.push_back(toNumber(env, element(env, value, i), name + "[" + std::to_string(i) + "]"));
  return numbers;
}

void readNode(napi_env env, napi_value value, const KernelTable& table, const std::vector<Tensor>& tensors, Node& node,
              const std::string& position) {
  const std::string op = toString(env, property(env, value, "op", position), position + ".op");
  const std::string name = position + " (" + op + ")";
  const Kernel* kernel = findKernel(table, op);
  if (!kernel) throw JsError(name + ": " + table.isa + " has no kernel for this op; lower it to ops that kernels() lists");
  node.kernel = kernel;
  node.inputs = readOperands(env, property(env, value, "inputs", name), tensors, 0, name + ".inputs");
  node.outputs = readOperands(env, property(env, value, "outputs", name), tensors, -1, name + ".outputs");

  napi_value attributes = property(env, value, "attributes", name);
  napi_value keys;
  check(env, napi_get_property_names(env, attributes, &keys));
  const uint32_t count = arrayLength(env, keys, name + ".attributes");
  for (uint32_t i = 0; i < count; i++) {
    const std::string key = toString(env, element(env, keys, i), name + ".attributes");
    napi_value entry = property(env, attributes, key.c_str(), name + ".attributes");
    node.addAttribute(key, readAttribute(env, entry, name + ".attributes." + key));
  }
}

}  // namespace

std::unique_ptr<ProgramHandle> readProgram(napi_env env, std::shared_ptr<PoolHandle> pool, const KernelTable& table,
                                           napi_value description, bool isPlaced) {
  auto handle = std::make_unique<ProgramHandle>(env, std::move(pool));
  const std::string name = "compile: description";
  const std::vector<Buffer> buffers = readBuffers(env, property(env, description, "buffers", name), *handle);

  napi_value tensorArray = property(env, description, "tensors", name);
  std::vector<Tensor> tensors;
  const uint32_t tensorCount = arrayLength(env, tensorArray, "compile: tensors");
  for (uint32_t i = 0; i < tensorCount; i++)
    tensors.push_back(
        readTensor(env, element(env, tensorArray, i), buffers, isPlaced ? 0 : -1, "compile: tensors[" + std::to_string(i) + "]"));

  napi_value nodeArray = property(env, description, "nodes", name);
  const uint32_t nodeCount = arrayLength(env, nodeArray, "compile: nodes");
  Program& program = handle->program;
  for (uint32_t i = 0; i < nodeCount; i++) {
    Node& node = program.nodes.emplace_back();
    readNode(env, element(env, nodeArray, i), table, tensors, node, "compile: nodes[" + std::to_string(i) + "]");
    node.bind(&handle->pool->pool, &program.scratch);
  }
  return handle;
}

}  // namespace rectiflow
