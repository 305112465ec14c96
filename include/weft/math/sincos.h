// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

#include "weft/math/inline.h"

namespace weft::math {

struct SinCos {
  float sin;
  float cos;
};

/// sin and cos of 2 pi u for u in [0, 1), absolute error below 1e-7: quadrant and rest are exact,
/// then minimax polynomials on an eighth of a turn.
WEFT_FORMULA SinCos sincos_turns(float u) {
  // Exact: u * 4 is, and below 4.
  const auto quadrant =
      static_cast<std::int32_t>(u * 4.0f + 0.5f);  // NOLINT(bugprone-incorrect-roundings)
  const float r = u - static_cast<float>(quadrant) * 0.25f;
  const float t = r * r;
  float s = 41.4729486f;
  s = s * t - 76.6978700f;
  s = s * t + 81.6052047f;
  s = s * t - 41.3417022f;
  s = (s * t + 6.28318531f) * r;
  float c = 59.2459274f;
  c = c * t - 85.4437406f;
  c = c * t + 64.9393295f;
  c = (c * t - 19.7392087f) * t + 1.0f;
  const bool odd = (quadrant & 1) != 0;
  const float sine = odd ? c : s;
  const float cosine = odd ? s : c;
  return {(quadrant & 2) != 0 ? -sine : sine, ((quadrant + 1) & 2) != 0 ? -cosine : cosine};
}

}  // namespace weft::math
