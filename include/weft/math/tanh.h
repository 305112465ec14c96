// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "weft/math/exp.h"

namespace weft::math {

/// Hyperbolic tangent within 2 ULP: x (1 + x^2 P(x^2)) below 0.625, else 1 - 2 / (e^2|x| + 1).
WEFT_FORMULA float tanh(float x) {
  const float u = std::fabs(x);
  const float t = x * x;
  float p = -0.00552861304f;
  p = p * t + 0.0204832943f;
  p = p * t - 0.0536929600f;
  p = p * t + 0.133308996f;
  p = p * t - 0.333332629f;
  const float head = x * (1.0f + t * p);
  const float tail = 1.0f - 2.0f / (exp(u + u) + 1.0f);
  return u < 0.625f ? head : std::copysign(tail, x);
}
WEFT_FORMULA double tanh(double x) { return std::tanh(x); }

}  // namespace weft::math
