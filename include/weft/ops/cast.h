// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/core/tensor.h"

namespace weft {

/// `x` converted to `dtype`, any to any; `x` itself when it has it. To an integer: toward zero,
/// values outside its range saturate, NaN becomes 0. To bool: whether not 0. f64 goes to halves
/// through f32.
WEFT_API Tensor cast(const Tensor& x, DType dtype);

}  // namespace weft
