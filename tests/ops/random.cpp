// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/ops/support/op_row.h"
#include "weft/base/philox.h"
#include "weft/core/context.h"
#include "weft/math/log.h"
#include "weft/math/sincos.h"
#include "weft/ops/create.h"
#include "weft/ops/reduce.h"

namespace weft::test {
namespace {

/// The random word of element `i` of the first draw after the seed of the rows.
std::uint32_t word(const char* op, std::int64_t i) {
  const PhiloxWords words =
      philox_group(kRowSeed, stream_id(op), 0, static_cast<std::uint64_t>(i / 4));
  return words.w[i % 4];
}

Sample dropout_sample(const char* name, const Shape& shape, double p) {
  return {.name = name,
          .args = {{.shape = shape}},
          .run = [=](In x) { return std::vector{dropout(x[0], {.p = p})}; },
          .reference =
              [=](In x) {
                std::vector<double> values = x[0].to_vector();
                for (std::size_t i = 0; i < values.size(); ++i) {
                  const float u = unit_float(word("dropout", static_cast<std::int64_t>(i)));
                  values[i] = u >= static_cast<float>(p) ? values[i] / (1 - p) : 0;
                }
                return std::vector{Tensor::from(values, shape)};
              }};
}

using Fill1 = Tensor& (*)(Tensor&);
using Value = double (*)(const char* op, std::int64_t i);

std::vector<Sample> filling_samples(const char* op, Fill1 fill, Value value) {
  const std::pair<const char*, Shape> shapes[] = {
      {"scalar", {}},        {"one element", {1}},        {"odd", {13}},
      {"batch 1", {1, 17}},  {"matrix", {7, 33}},         {"image", {2, 3, 5, 4}},
      {"zero size", {0, 4}}, {"several chunks", {70001}},
  };
  std::vector<Sample> samples;
  for (const auto& [name, shape] : shapes) {
    samples.push_back({.name = name,
                       .args = {{.shape = shape}},
                       .run =
                           [=](In x) {
                             Tensor y = empty(x[0].shape(),
                                              {.dtype = x[0].dtype(), .device = x[0].device()});
                             return std::vector{fill(y)};
                           },
                       .reference =
                           [=](In x) {
                             std::vector<double> values;
                             for (std::int64_t i = 0; i < x[0].numel(); ++i)
                               values.push_back(value(op, i));
                             return std::vector{Tensor::from(values, x[0].shape())};
                           }});
  }
  return samples;
}

double normal_value(const char* op, std::int64_t i) {
  const double u = (static_cast<double>(word(op, i / 2 * 2) >> 1) + 0.5) * 0x1p-31;
  const double turn =
      2 * 3.14159265358979323846 * static_cast<double>(unit_float(word(op, i / 2 * 2 + 1)));
  return 1.0 + 0.5 * std::sqrt(-2 * std::log(u)) * (i % 2 == 0 ? std::cos(turn) : std::sin(turn));
}

double phi(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

/// Solves phi(z) = p by bisection.
double truncated_value(const char* op, std::int64_t i) {
  const double u = static_cast<double>(unit_float(word(op, i))) + 0x1p-25;
  const double p = phi(-2) + (phi(2) - phi(-2)) * u;
  double low = -2, high = 2;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (phi(middle) < p ? low : high) = middle;
  }
  return low;
}

template <class F>
ErrorCase bad(const char* name, ErrorKind kind, const char* message, F&& run) {
  return {.name = name, .run = std::forward<F>(run), .kind = kind, .message = message};
}

const OpRows rows{
    OpRow{
        .op = "dropout",
        .samples = {dropout_sample("scalar", {}, 0.5), dropout_sample("one element", {1}, 0.5),
                    dropout_sample("odd", {13}, 0.25), dropout_sample("batch 1", {1, 17}, 0.5),
                    dropout_sample("matrix", {7, 33}, 0.1),
                    dropout_sample("image", {2, 3, 5, 4}, 0.9),
                    dropout_sample("zero size", {0, 4}, 0.5),
                    dropout_sample("several chunks", {70001}, 0.5)},
        .errors = {bad("p above 1", ErrorKind::value, "dropout: p is 1.5; needs 0 to 1",
                       [] { dropout(ones({2}), {.p = 1.5}); }),
                   bad("negative p", ErrorKind::value, "dropout: p is -0.5; needs 0 to 1",
                       [] { dropout(ones({2}), {.p = -0.5}); }),
                   bad("integers", ErrorKind::dtype, "dropout: x is i64[2] but must be floating",
                       [] { dropout(arange(2)); })},
    },
    OpRow{
        .op = "uniform",
        .samples = filling_samples(
            "uniform", [](Tensor& x) -> Tensor& { return uniform_(x, -1, 3); },
            [](const char* op, std::int64_t i) {
              return -1.0 + 4.0 * static_cast<double>(unit_float(word(op, i)));
            }),
        .errors = {bad("empty interval", ErrorKind::value,
                       "uniform: low is 1 and high is 1; both must be finite and low < high",
                       [] {
                         Tensor x = ones({2});
                         uniform_(x, 1, 1);
                       }),
                   bad("integers", ErrorKind::dtype,
                       "uniform: target is i64[2] but must be floating",
                       [] { rand({2}, {.dtype = DType::i64}); }),
                   bad("leaf that requires grad", ErrorKind::state,
                       "uniform: target requires grad and would be written in place",
                       [] {
                         Tensor x = ones({2}, {.requires_grad = true});
                         uniform_(x);
                       })},
        .differentiable = false,
    },
    OpRow{
        .op = "normal",
        .samples = filling_samples(
            "normal", [](Tensor& x) -> Tensor& { return normal_(x, 1, 0.5); }, normal_value),
        .errors = {bad("std 0", ErrorKind::value,
                       "normal: mean is 0 and std is 0; both must be finite and std > 0",
                       [] {
                         Tensor x = ones({2});
                         normal_(x, 0, 0);
                       }),
                   bad("mean nan", ErrorKind::value,
                       "normal: mean is nan and std is 1; both must be finite and std > 0",
                       [] {
                         Tensor x = ones({2});
                         normal_(x, NAN);
                       }),
                   bad("integers", ErrorKind::dtype, "normal: target is u8[2] but must be floating",
                       [] { randn({2}, {.dtype = DType::u8}); })},
        .dtypes = {DType::f32, DType::bf16, DType::f16},  // f64 has the bits of f32
        .differentiable = false,
    },
    OpRow{
        .op = "truncated_normal",
        .samples = filling_samples(
            "truncated_normal",
            [](Tensor& x) -> Tensor& { return truncated_normal_(x, 0, 1, -2, 2); },
            truncated_value),
        .errors =
            {bad("reversed interval", ErrorKind::value,
                 "truncated_normal: low is 1 and high is -1; both must be finite and low < high",
                 [] {
                   Tensor x = ones({2});
                   truncated_normal_(x, 0, 1, 1, -1);
                 }),
             bad("negative std", ErrorKind::value,
                 "truncated_normal: mean is 0 and std is -1; both must be finite and std > 0",
                 [] {
                   Tensor x = ones({2});
                   truncated_normal_(x, 0, -1, -1, 1);
                 }),
             bad("integers", ErrorKind::dtype,
                 "truncated_normal: target is i64[2] but must be floating",
                 [] {
                   Tensor x = arange(2);
                   truncated_normal_(x, 0, 1, -1, 1);
                 })},
        .dtypes = {DType::f32, DType::bf16, DType::f16},  // f64 has the bits of f32
        .differentiable = false,
        .tolerance_scale = 2.0,
    },
};

TEST(Dropout, ReturnsItsInputOutsideTraining) {
  const Tensor x = ones({4});
  EXPECT_TRUE(dropout(x, {.p = 0.5, .training = false}).same_as(x));
  EXPECT_TRUE(dropout(x, {.p = 0}).same_as(x));
}

TEST(Dropout, OfEverythingIsZero) {
  EXPECT_EQ(dropout(full({5}, INFINITY), {.p = 1}).to_vector(), std::vector<double>(5, 0.0));
}

TEST(Dropout, KeepsTheExpectedShare) {
  set_seed(3);
  const Tensor y = dropout(ones({100000}), {.p = 0.3});
  EXPECT_NEAR(mean(y).item(), 1.0, 5 * std::sqrt(0.3 / 0.7 / 100000));
}

TEST(Dropout, GradientUsesTheSameMask) {
  Tensor x = ones({1000}, {.requires_grad = true});
  const Tensor y = dropout(x, {.p = 0.4});
  rand({10});  // other draws in between do not matter
  y.backward(ones({1000}));
  EXPECT_EQ(x.grad().to_vector(), y.to_vector());
}

TEST(Dropout, DrawsANewMaskEachTime) {
  const Tensor x = ones({1000});
  EXPECT_NE(dropout(x).to_vector(), dropout(x).to_vector());
}

TEST(Random, RepeatsForASeed) {
  set_seed(7);
  const auto first = randn({1000}).to_vector();
  const auto second = randn({1000}).to_vector();
  set_seed(7);
  EXPECT_EQ(randn({1000}).to_vector(), first);
  EXPECT_NE(first, second);
}

TEST(Random, TwoSessionsDoNotDisturbEachOther) {
  set_seed(7);
  const auto want = rand({9}).to_vector();
  set_seed(7);
  {
    const ContextScope other(Context::make({}, 99));
    rand({9});
  }
  EXPECT_EQ(rand({9}).to_vector(), want);
}

TEST(Random, NormalHasItsMoments) {
  set_seed(11);
  const std::int64_t n = 1 << 20;
  const std::vector<double> x = randn({n}).to_vector();
  double sums[4] = {};
  for (const double v : x) {
    sums[0] += v;
    sums[1] += v * v;
    sums[2] += v * v * v;
    sums[3] += v * v * v * v;
  }
  const double count = static_cast<double>(n);
  EXPECT_NEAR(sums[0] / count, 0, 5 / std::sqrt(count));
  EXPECT_NEAR(sums[1] / count, 1, 5 * std::sqrt(2 / count));
  EXPECT_NEAR(sums[2] / count, 0, 5 * std::sqrt(15 / count));
  EXPECT_NEAR(sums[3] / count, 3, 5 * std::sqrt(96 / count));
}

TEST(Random, UniformStaysInItsInterval) {
  Tensor x = empty({100000});
  uniform_(x, 1e8, 1e8 + 8);  // 8 is the spacing of f32 here: rounding would reach the end
  for (const double value : x.to_vector()) ASSERT_EQ(value, 1e8);
}

TEST(Random, TruncatedNormalStaysInItsInterval) {
  Tensor x = empty({100000});
  truncated_normal_(x, 2, 3, 1, 4);
  const std::vector<double> values = x.to_vector();
  EXPECT_GE(*std::min_element(values.begin(), values.end()), 1);
  EXPECT_LE(*std::max_element(values.begin(), values.end()), 4);
}

TEST(Random, TruncatedNormalNeedsAnIntervalWithMass) {
  Tensor x = empty({2});
  try {
    truncated_normal_(x, 0, 1, 10, 11);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::value);
    EXPECT_NE(error.message().find("truncated_normal: [10, 11] holds "), std::string::npos);
  }
}

TEST(Random, EveryDtypeHoldsTheDrawsOfF32) {
  const auto draw = [](DType dtype) {
    set_seed(5);
    return randn({1001}, {.dtype = dtype}).to_vector();
  };
  const std::vector<double> want = draw(DType::f32);
  EXPECT_EQ(draw(DType::f64), want);
  const std::vector<double> halves = draw(DType::bf16);
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_EQ(halves[i], static_cast<double>(bf16(static_cast<float>(want[i]))));
  }
}

TEST(Random, BitsAreThoseOfTheFormulas) {
  set_seed(kRowSeed);
  const Tensor x = randn({6});
  for (std::int64_t i = 0; i < 6; i += 2) {
    const float u = (static_cast<float>(word("normal", i) >> 1) + 0.5f) * 0x1p-31f;
    const float radius = std::sqrt(-2.0f * math::log(u));
    const math::SinCos turn = math::sincos_turns(unit_float(word("normal", i + 1)));
    EXPECT_EQ(x.data<float>()[static_cast<std::size_t>(i)], radius * turn.cos);
    EXPECT_EQ(x.data<float>()[static_cast<std::size_t>(i) + 1], radius * turn.sin);
  }
}

}  // namespace
}  // namespace weft::test
