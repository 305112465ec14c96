// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weft/core/tensor.h"

namespace weft {

struct EmbeddingOptions {
  std::int64_t padding_index = -1;  ///< a row that receives no gradient; -1 for none
};

/// Rows of `weight` [V, D] picked by `indices` [...] (i32 or i64): [..., D]. The gradient of a row
/// is the sum over its occurrences in order of position, so it is the same on every run. Throws
/// Error(shape | dtype | value | index); an index outside [0, V) names its position.
WEFT_API Tensor embedding(const Tensor& indices, const Tensor& weight,
                          const EmbeddingOptions& options = {});

}  // namespace weft
