// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weft/core/tensor.h"

namespace weft {

/// The rows of `x` that are samples, not padding.
inline Tensor samples_of(const Tensor& x, std::int64_t size) {
  return x.shape()[0] == size ? x : x.slice(0, size);
}

}  // namespace weft
