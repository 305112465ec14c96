// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

/// `arange(target)`: element i becomes start + i * step.
struct ArangeAttrs {
  double start = 0;
  double step = 1;
  WEFT_FIELDS(ArangeAttrs, start, step)
};

}  // namespace weft
