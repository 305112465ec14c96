// SPDX-License-Identifier: Apache-2.0
// A shared object with an op of its own: y = x³, made of the library's ops, so it needs no kernel
// and runs on every device; its gradient is theirs.
#include <weft/weft.h>

namespace {

weft::Outputs cube(const weft::Composite& call) {
  const weft::Tensor& x = call.in(0);
  weft::Outputs outputs;
  outputs[0] = x * x * x;
  return outputs;
}

}  // namespace

extern "C" WEFT_API const char* weft_plugin(const weft::PluginAbi* host) {
  static std::string difference;
  difference = weft::abi_difference(*host, weft::plugin_abi());
  if (!difference.empty()) return difference.c_str();
  weft::OpDef def{.name = "example::cube", .inputs = {"x"}, .outputs = {"y"}};
  def.infer = weft::like_input;
  def.composite = cube;
  weft::add_op(def);
  return nullptr;
}
