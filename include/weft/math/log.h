// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "weft/math/inline.h"

namespace weft::math {

/// Natural logarithm within 1 ULP: x = 2^e (1 + m) with 1 + m in [sqrt(1/2), sqrt(2)), and a
/// minimax polynomial for (log(1 + m) - m + m^2/2) / m^3.
WEFT_FORMULA float log(float x) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr std::uint32_t kSqrtHalf = 0x3f3504f3u;
  const bool subnormal = x < 0x1p-126f;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(subnormal ? x * 0x1p23f : x) - kSqrtHalf;
  const float e =
      static_cast<float>(static_cast<std::int32_t>(bits) >> 23) - (subnormal ? 23.0f : 0.0f);
  const float m = std::bit_cast<float>((bits & 0x007fffffu) + kSqrtHalf) - 1.0f;
  float p = 0.0674705579f;
  p = p * m - 0.116762630f;
  p = p * m + 0.118882968f;
  p = p * m - 0.124054797f;
  p = p * m + 0.142195162f;
  p = p * m - 0.166680020f;
  p = p * m + 0.200021210f;
  p = p * m - 0.250000095f;
  p = p * m + 0.333333126f;
  const float square = m * m;
  float y = (p * m * square + e * -2.12194440e-4f) - 0.5f * square;
  y = (y + m) + e * 0.693359375f;
  y = x == kInf ? kInf : y;
  y = x == 0.0f ? -kInf : y;
  y = x < 0.0f ? std::numeric_limits<float>::quiet_NaN() : y;
  return x != x ? x : y;
}
WEFT_FORMULA double log(double x) { return std::log(x); }

}  // namespace weft::math
