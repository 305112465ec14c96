// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weft/core/tensor.h"

namespace weft {

struct SoftmaxOptions {
  std::int64_t dim = -1;
};

/// exp(x - max) / sum of the same along `dim`. Where every value is -inf the result is 0, so fully
/// masked rows are exact zeros; a NaN makes its whole row NaN. Throws Error(shape | dtype | index).
WEFT_API Tensor softmax(const Tensor& x, const SoftmaxOptions& options = {});

}  // namespace weft
