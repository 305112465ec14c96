// SPDX-License-Identifier: Apache-2.0
#include "weft/op/plugin.h"

/// A plugin compiled against another Weft.
extern "C" WEFT_API const char* weft_plugin(const weft::PluginAbi* host) {
  static std::string refusal;
  weft::PluginAbi own = weft::plugin_abi();
  own.version = "99.0.0";
  refusal = weft::abi_difference(*host, own);
  return refusal.empty() ? nullptr : refusal.c_str();
}
