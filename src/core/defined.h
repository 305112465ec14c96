// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "weft/core/tensor.h"

namespace weft {

[[noreturn]] void fail_undefined(std::string_view call);

/// Throws Error(value) naming `call` when `x` is an undefined tensor.
inline void require_defined(const Tensor& x, std::string_view call) {
  if (!x.defined()) [[unlikely]]
    fail_undefined(call);
}

}  // namespace weft
