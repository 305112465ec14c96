// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

struct LayerNormAttrs {
  double eps = 1e-5;
  std::int64_t dims = 1;
  WEFT_FIELDS(LayerNormAttrs, eps, dims)
};

struct BatchNormAttrs {
  double momentum = 0.1;
  double eps = 1e-5;
  bool training = true;
  WEFT_FIELDS(BatchNormAttrs, momentum, eps, training)
};

}  // namespace weft
