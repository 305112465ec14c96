// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

/// `cast(x) -> y`: y has this dtype.
struct CastAttrs {
  DType dtype = DType::f32;
  WEFT_FIELDS(CastAttrs, dtype)
};

}  // namespace weft
