// SPDX-License-Identifier: Apache-2.0
#include "weft/op/plugin.h"

/// A plugin that registers nothing and refuses to be entered again.
extern "C" WEFT_API const char* weft_plugin(const weft::PluginAbi*) {
  static int calls = 0;
  return ++calls == 1 ? nullptr : "it was entered twice";
}
