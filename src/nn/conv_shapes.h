// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/nn/conv.h"

namespace weft::nn {

/// The padding in numbers. Throws Error(value) where `same` is not possible.
Pair padding_of(const Conv2dOptions& options);
/// Throws Error(value) for options out of their domain.
void require_conv2d(std::int64_t in, std::int64_t out, const Conv2dOptions& options);

}  // namespace weft::nn
