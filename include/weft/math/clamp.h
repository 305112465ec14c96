// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/math/inline.h"

namespace weft::math {

/// `x` within [low, high]; NaN stays NaN.
template <class T>
WEFT_FORMULA T clamp(T x, T low, T high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

}  // namespace weft::math
