// SPDX-License-Identifier: Apache-2.0
#include "cuda/backend.h"
#include "cuda/common.cuh"
#include "weft/op/plugin.h"

// The only symbol that this library exports.
extern "C" WEFT_API const char* weft_plugin(const weft::PluginAbi* host) {
  static std::string refusal;
  refusal = weft::abi_difference(*host, weft::plugin_abi());
  if (!refusal.empty()) return refusal.c_str();
  try {
    weft::add_backend(weft::cuda::make_backend());
    weft::cuda::register_cast();
    weft::cuda::register_pointwise();
    weft::cuda::register_reduce();
    weft::cuda::register_matmul();
    weft::cuda::register_norm();
    weft::cuda::register_softmax();
    weft::cuda::register_optimizer();
  } catch (const std::exception& error) {
    refusal = error.what();
    return refusal.c_str();
  }
  return nullptr;
}
