// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

struct SoftmaxAttrs {
  std::int64_t dim = -1;
  WEFT_FIELDS(SoftmaxAttrs, dim)
};

}  // namespace weft
