// SPDX-License-Identifier: Apache-2.0
#include "weft/base/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace weft {
namespace {

// The value of a binary format with the given field widths, in double arithmetic.
double decode(std::uint32_t bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const auto mantissa = static_cast<double>(bits & ((1u << mantissa_bits) - 1));
  const int exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const double sign = (bits >> (exponent_bits + mantissa_bits)) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return mantissa == 0 ? sign * HUGE_VAL : std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign *
         std::ldexp(mantissa + std::ldexp(1.0, mantissa_bits), exponent - bias - mantissa_bits);
}

struct Format {
  int exponent_bits;
  int mantissa_bits;
};
constexpr Format kF16{5, 10};
constexpr Format kBf16{8, 7};

template <class Half>
std::uint16_t rounded(double value) {
  return Half(static_cast<float>(value)).bits;
}

template <class Half>
void expect_every_pattern_decodes(Format format) {
  for (std::uint32_t pattern = 0; pattern < 65536; ++pattern) {
    Half half;
    half.bits = static_cast<std::uint16_t>(pattern);
    const double expected = decode(pattern, format.exponent_bits, format.mantissa_bits);
    const auto value = static_cast<float>(half);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << pattern;
      const Half back(value);
      ASSERT_TRUE(std::isnan(static_cast<float>(back))) << pattern;
    } else {
      ASSERT_EQ(static_cast<double>(value), expected) << pattern;
      ASSERT_EQ(std::signbit(value), (pattern & 0x8000u) != 0) << pattern;
      ASSERT_EQ(Half(value).bits, pattern);
    }
  }
}

// Midway between neighbours the even one wins; the floats next to the midpoint go to the nearer
// one.
template <class Half>
void expect_every_tie_goes_to_even(Format format, std::uint16_t infinity) {
  for (std::uint32_t low = 0; low < infinity; ++low) {
    const std::uint32_t high = low + 1;
    const double below = decode(low, format.exponent_bits, format.mantissa_bits);
    // Past the largest finite value the next one in the same spacing stands for infinity.
    const double above =
        high == infinity ? 2 * below - decode(low - 1, format.exponent_bits, format.mantissa_bits)
                         : decode(high, format.exponent_bits, format.mantissa_bits);
    const auto middle = static_cast<float>((below + above) / 2);
    ASSERT_EQ(static_cast<double>(middle), (below + above) / 2);
    const std::uint32_t even = low % 2 == 0 ? low : high;
    ASSERT_EQ(Half(middle).bits, even) << low;
    ASSERT_EQ(Half(-middle).bits, even | 0x8000u) << low;
    ASSERT_EQ(Half(std::nextafter(middle, HUGE_VALF)).bits, high) << low;
    ASSERT_EQ(Half(std::nextafter(middle, 0.0f)).bits, low) << low;
  }
}

TEST(Half, EveryF16PatternIsItsValueAndComesBack) { expect_every_pattern_decodes<f16>(kF16); }
TEST(Half, EveryBf16PatternIsItsValueAndComesBack) { expect_every_pattern_decodes<bf16>(kBf16); }
TEST(Half, EveryF16TieGoesToEven) { expect_every_tie_goes_to_even<f16>(kF16, 0x7c00); }
TEST(Half, EveryBf16TieGoesToEven) { expect_every_tie_goes_to_even<bf16>(kBf16, 0x7f80); }

TEST(Half, OverflowBecomesInfinity) {
  EXPECT_EQ(rounded<f16>(65519.0), 0x7bff);
  EXPECT_EQ(rounded<f16>(65520.0), 0x7c00);
  EXPECT_EQ(rounded<f16>(-1e30), 0xfc00);
  EXPECT_EQ(f16(HUGE_VALF).bits, 0x7c00);
  EXPECT_EQ(bf16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_EQ(bf16(-HUGE_VALF).bits, 0xff80);
}

TEST(Half, NanNeverTurnsIntoInfinity) {
  for (const std::uint32_t payload : {1u, 0x1fffu, 0xffffu, 0x400000u, 0x7fffffu}) {
    const auto nan = std::bit_cast<float>(0x7f800000u | payload);
    EXPECT_TRUE(std::isnan(static_cast<float>(f16(nan)))) << payload;
    EXPECT_TRUE(std::isnan(static_cast<float>(bf16(nan)))) << payload;
  }
}

TEST(Half, ConvertsAtCompileTime) {
  static_assert(f16(1.0f).bits == 0x3c00);
  static_assert(bf16(1.0f).bits == 0x3f80);
  static_assert(static_cast<float>(f16(0x1p-24f)) == 0x1p-24f);
}

}  // namespace
}  // namespace weft
