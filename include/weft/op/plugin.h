// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weft/base/version.h"
#include "weft/op/node.h"
#include "weft/op/observer.h"

namespace weft {

/// What must agree between libweft and a plugin: both fill it from the headers they were compiled
/// with.
struct PluginAbi {
  std::uint32_t abi = 1;  ///< of this struct and of the meaning of the entry point
  std::uint32_t sizes[7] = {sizeof(TensorImpl), sizeof(Storage),    sizeof(OpDef), sizeof(OpEntry),
                            sizeof(KernelRow),  sizeof(KernelArgs), sizeof(Node)};
  const char* version = WEFT_VERSION;
  std::uint32_t compiler = __GXX_ABI_VERSION;
};

inline PluginAbi plugin_abi() { return {}; }

/// Empty when both sides agree, else what differs, with both values.
WEFT_API std::string abi_difference(const PluginAbi& host, const PluginAbi& plugin);

/// The entry point of a plugin, `extern "C" weft_plugin`: registers its backends, ops and kernels
/// and returns nullptr, or says why it refuses.
using PluginEntry = const char* (*)(const PluginAbi* host);

/// Loads the shared object `path` and runs its entry point; it is never unloaded. Loading it again
/// does nothing. Throws Error(unsupported) when it cannot be loaded, has no entry point or refuses.
WEFT_API void load_plugin(const std::string& path);

}  // namespace weft
