// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

/// `sum(x) -> y`, `mean(x) -> y`: over `dims` (negative from the end), all when empty.
struct ReduceAttrs {
  Dims dims;
  bool keepdim = false;
  WEFT_FIELDS(ReduceAttrs, dims, keepdim)
};

/// `sum_to(x) -> y`: y has this shape.
struct SumToAttrs {
  Dims shape;
  WEFT_FIELDS(SumToAttrs, shape)
};

}  // namespace weft
