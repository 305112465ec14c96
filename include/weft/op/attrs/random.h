// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

struct DropoutAttrs {
  double p = 0.5;
  WEFT_FIELDS(DropoutAttrs, p)
};

struct UniformAttrs {
  double low = 0;
  double high = 1;
  WEFT_FIELDS(UniformAttrs, low, high)
};

struct NormalAttrs {
  double mean = 0;
  double std = 1;
  WEFT_FIELDS(NormalAttrs, mean, std)
};

struct TruncatedNormalAttrs {
  double mean = 0;
  double std = 1;
  double low = -2;
  double high = 2;
  WEFT_FIELDS(TruncatedNormalAttrs, mean, std, low, high)
};

}  // namespace weft
