#include "program.h"

#include <chrono>
#include <utility>

#include "denormals.h"
#include "placement.h"

namespace rectiflow {

void Node::addAttribute(std::string name, std::vector<double> numbers) {
  names.push_back(std::move(name));
  values.push_back(std::move(numbers));
}

void Node::bind(Pool* pool, Scratch* scratch) {
  for (size_t i = 0; i < names.size(); i++)
    attributes.push_back({names[i].c_str(), values[i].data(), (int32_t)values[i].size()});
  call.inputs = inputs.data();
  call.inputCount = (int32_t)inputs.size();
  call.outputs = outputs.data();
  call.outputCount = (int32_t)outputs.size();
  call.attributes = attributes.data();
  call.attributeCount = (int32_t)attributes.size();
  call.pool = pool;
  call.scratch = scratch;
  if (kernel->reserves) kernel->run(call);
}

void Program::run(int threads, char* memory, const Listener& listener) {
  using Clock = std::chrono::steady_clock;
  const FlushDenormals flush;
  const OwnProcessor processor(0, threads);
  scratch.data = memory;
  const std::vector<int64_t>& awaited = listener.nodes;
  int64_t index = 0;
  size_t done = 0;
  auto begin = Clock::now();
  for (Node& node : nodes) {
    node.kernel->run(node.call);
    const auto end = Clock::now();
    node.nanoseconds += std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count();
    begin = end;
    const size_t before = done;
    while (done < awaited.size() && awaited[done] == index) done++;
    if (done > before) listener.hear(listener.context, done);
    index++;
  }
  runs++;
}

}  // namespace rectiflow
