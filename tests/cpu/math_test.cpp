// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "weft/math/erf.h"
#include "weft/math/exp.h"
#include "weft/math/gelu.h"
#include "weft/math/log.h"
#include "weft/math/sincos.h"
#include "weft/math/tanh.h"

namespace weft {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Distance of `y` from the exact value in units of the last place of the rounded exact value.
double ulps(float y, double exact) {
  const auto rounded = static_cast<float>(exact);
  if (std::isnan(rounded)) return std::isnan(y) ? 0.0 : 1e9;
  if (std::isinf(rounded)) return y == rounded ? 0.0 : 1e9;
  int exponent = 0;
  std::frexp(rounded, &exponent);
  return std::fabs(static_cast<double>(y) - exact) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

/// The largest error over all magnitudes, signs and exponents: every 4099th float, NaNs and
/// subnormals included.
template <class F, class G>
double worst_ulps(F formula, G exact) {
  double worst = 0;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 4099) {
    const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    worst = std::max(worst, ulps(formula(x), exact(static_cast<double>(x))));
  }
  return worst;
}

TEST(Math, ExpIsWithinOneUlp) {
  EXPECT_LE(worst_ulps([](float x) { return math::exp(x); }, [](double x) { return std::exp(x); }),
            1.0);
}

TEST(Math, ExpNormalIsWithinOneUlpUpTo88AndZeroBelowMinus87) {
  double worst = 0;
  for (float x = -87.0f; x <= 88.0f; x += 0.001f) {
    worst = std::max(worst, ulps(math::exp_normal(x), std::exp(static_cast<double>(x))));
  }
  EXPECT_LE(worst, 1.0);
  EXPECT_EQ(math::exp_normal(0.0f), 1.0f);
  for (const float x : {-87.01f, -1e4f, -3e38f, -kInf}) EXPECT_EQ(math::exp_normal(x), 0.0f);
  EXPECT_TRUE(std::isnan(math::exp_normal(kNan)));
}

TEST(Math, LogIsWithinOneUlp) {
  EXPECT_LE(worst_ulps([](float x) { return math::log(x); }, [](double x) { return std::log(x); }),
            1.0);
}

TEST(Math, TanhIsWithinTwoUlps) {
  EXPECT_LE(
      worst_ulps([](float x) { return math::tanh(x); }, [](double x) { return std::tanh(x); }),
      2.0);
}

TEST(Math, ErfIsWithinFourUlps) {
  EXPECT_LE(worst_ulps([](float x) { return math::erf(x); }, [](double x) { return std::erf(x); }),
            4.0);
}

TEST(Math, LimitsAreExact) {
  EXPECT_EQ(math::exp(-kInf), 0.0f);
  EXPECT_EQ(math::exp(kInf), kInf);
  EXPECT_EQ(math::exp(0.0f), 1.0f);
  EXPECT_EQ(math::log(0.0f), -kInf);
  EXPECT_EQ(math::log(1.0f), 0.0f);
  EXPECT_EQ(math::tanh(-kInf), -1.0f);
  EXPECT_EQ(math::erf(kInf), 1.0f);
  EXPECT_TRUE(std::signbit(math::tanh(-0.0f)));
  EXPECT_TRUE(std::signbit(math::erf(-0.0f)));
}

TEST(Math, NanStaysNan) {
  for (const float y :
       {math::exp(kNan), math::log(kNan), math::tanh(kNan), math::erf(kNan), math::gelu_erf(kNan),
        math::gelu_tanh(kNan), math::gelu_erf_derivative(kNan), math::gelu_tanh_derivative(kNan),
        math::log(-1.0f)}) {
    EXPECT_TRUE(std::isnan(y));
  }
}

TEST(Math, NanWithAnyPayloadStaysNan) {
  for (const std::uint32_t bits : {0x7fffffffu, 0x7fc00001u, 0xffffffffu, 0xff800123u}) {
    const auto x = std::bit_cast<float>(bits);
    for (const float y : {math::exp(x), math::exp_normal(x), math::log(x), math::tanh(x),
                          math::erf(x), math::gelu_erf(x), math::gelu_tanh(x)}) {
      EXPECT_TRUE(std::isnan(y)) << std::hex << bits;
    }
  }
}

TEST(Math, ExpNormalIsExpWhereItIsNormal) {
  for (float x = -87.0f; x <= 88.0f; x += 0.00093f)
    ASSERT_EQ(math::exp_normal(x), math::exp(x)) << x;
  EXPECT_EQ(math::exp_normal(-87.1f), 0.0f);
  EXPECT_EQ(math::exp_normal(-kInf), 0.0f);
}

TEST(Math, SinCosOfTurnsAreWithin1e7) {
  for (std::uint32_t i = 0; i < (1u << 24); i += 97) {
    const float u = static_cast<float>(i) * 0x1p-24f;
    const auto [sine, cosine] = math::sincos_turns(u);
    const double angle = 2 * 3.14159265358979323846 * static_cast<double>(u);
    ASSERT_NEAR(sine, std::sin(angle), 1e-7) << u;
    ASSERT_NEAR(cosine, std::cos(angle), 1e-7) << u;
  }
}

TEST(Math, ErfinvInvertsErf) {
  for (int i = -99999; i < 100000; i += 7) {
    const auto x = static_cast<float>(i * 1e-5);
    const double y = math::erfinv(x);
    const double slope = 1.1283791670955126 * std::exp(-y * y);
    ASSERT_NEAR(std::erf(y), static_cast<double>(x), 1e-6 * slope * std::max(0.01, std::fabs(y)))
        << x;
  }
}

TEST(Math, GeluAndItsSlopeAreWithinOneMillionth) {
  for (int i = -400000; i < 400000; i += 7) {
    const auto x = static_cast<float>(i * 1e-4);
    const double d = x;
    const double scale = std::max(1.0, std::fabs(d));
    ASSERT_NEAR(math::gelu_erf(x), math::gelu_erf(d), 1e-6 * scale) << x;
    ASSERT_NEAR(math::gelu_tanh(x), math::gelu_tanh(d), 1e-6 * scale) << x;
    ASSERT_NEAR(math::gelu_erf_derivative(x), math::gelu_erf_derivative(d), 1e-6) << x;
    ASSERT_NEAR(math::gelu_tanh_derivative(x), math::gelu_tanh_derivative(d), 1e-6) << x;
  }
}

TEST(Math, GeluOfInfinityIsItsLimit) {
  EXPECT_NEAR(math::gelu_erf(-kInf), 0.0f, 1e-8f);
  EXPECT_NEAR(math::gelu_tanh(-kInf), 0.0f, 1e-30f);
  EXPECT_EQ(math::gelu_erf(kInf), kInf);
  EXPECT_EQ(math::gelu_tanh(kInf), kInf);
  EXPECT_NEAR(math::gelu_erf_derivative(kInf), 1.0f, 1e-6f);
  EXPECT_NEAR(math::gelu_tanh_derivative(-kInf), 0.0f, 1e-30f);
}

}  // namespace
}  // namespace weft
