// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include "weft/base/export.h"

namespace weft {

namespace detail {

WEFT_HD constexpr std::uint16_t bf16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

WEFT_HD constexpr float bf16_value(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// Branch-free in the sense that compilers turn it into selects: the loops over halves vectorise.
WEFT_HD constexpr std::uint16_t f16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  // Adding 0.5 aligns a subnormal result's last bit with the float's last bit: the FPU rounds.
  const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
  const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u;
  const std::uint32_t odd = (magnitude >> 13) & 1u;
  const std::uint32_t normal = (magnitude - 0x38000000u + 0xfffu + odd) >> 13;
  const std::uint32_t large = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  std::uint32_t result = magnitude < 0x38800000u ? subnormal : normal;
  result = magnitude >= 0x477ff000u ? large : result;
  return static_cast<std::uint16_t>(sign | result);
}

WEFT_HD constexpr float f16_value(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t magnitude = static_cast<std::uint32_t>(bits & 0x7fffu) << 13;
  const std::uint32_t normal = magnitude + 0x38000000u;
  const std::uint32_t special = magnitude + 0x70000000u;
  // 2^-14 + mantissa, minus 2^-14: exact for subnormals.
  const float small = std::bit_cast<float>(magnitude + 0x38800000u) - 0x1p-14f;
  std::uint32_t result = magnitude >= 0x0f800000u ? special : normal;
  result = magnitude < 0x00800000u ? std::bit_cast<std::uint32_t>(small) : result;
  return std::bit_cast<float>(sign | result);
}

}  // namespace detail

/// bfloat16: 8 exponent bits, 7 mantissa bits. Converts from float by round-to-nearest-even.
struct bf16 {
  std::uint16_t bits = 0;
  bf16() = default;
  WEFT_HD constexpr explicit bf16(float value) : bits(detail::bf16_bits(value)) {}
  WEFT_HD constexpr operator float() const { return detail::bf16_value(bits); }
};

/// IEEE 754 binary16. Converts from float by round-to-nearest-even; above 65504 it becomes inf.
struct f16 {
  std::uint16_t bits = 0;
  f16() = default;
  WEFT_HD constexpr explicit f16(float value) : bits(detail::f16_bits(value)) {}
  WEFT_HD constexpr operator float() const { return detail::f16_value(bits); }
};

static_assert(sizeof(bf16) == 2 && sizeof(f16) == 2);

}  // namespace weft
