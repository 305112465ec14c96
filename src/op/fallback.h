// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "weft/op/registry.h"

namespace weft {

/// Counts a call of `op` that ran on the CPU for another device.
void count_fallback(const OpEntry& op);

/// Prints `message` to stderr as a warning, the first time it is given in this process.
void warn_once(const std::string& message);

}  // namespace weft
