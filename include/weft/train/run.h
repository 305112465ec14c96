// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "weft/core/context.h"

namespace weft {

struct RunOptions {
  Settings settings = {};
  std::uint64_t seed = 0;
};

/// Runs `fn` as a run of its own: settings, random numbers, observers and the peaks of the memory
/// accounts start clean, and the caller's are back afterwards, also when `fn` throws.
WEFT_API void run(const RunOptions& options, const std::function<void()>& fn);

}  // namespace weft
