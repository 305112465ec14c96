// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

/// `cast(x) -> y`: y has this dtype.
struct CastAttrs {
  DType dtype = DType::f32;
  WEFT_FIELDS(CastAttrs, dtype)
};

/// `fill(target)`: every element of target becomes `value`.
struct FillAttrs {
  double value = 0;
  WEFT_FIELDS(FillAttrs, value)
};

}  // namespace weft
