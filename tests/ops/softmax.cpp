// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/softmax.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/ops/support/op_row.h"
#include "weft/amp/autocast.h"

namespace weft::test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// exp(x_i) / sum exp(x_j) along `dim`, shifted by the greatest.
std::vector<Tensor> softmax_reference(In x, std::int64_t dim) {
  const Shape& shape = x[0].shape();
  const std::vector<double> v = x[0].to_vector();
  const int d = shape.rank() == 0 ? 0 : static_cast<int>(dim < 0 ? dim + shape.rank() : dim);
  const std::int64_t extent = shape.rank() == 0 ? 1 : shape[d];
  const std::int64_t inner = shape.rank() == 0 ? 1 : shape.numel(d + 1, shape.rank());
  std::vector<double> y(v.size());
  for (std::size_t i = 0; i < v.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t first = at / (extent * inner) * extent * inner + at % inner;
    double top = -std::numeric_limits<double>::infinity();
    for (std::int64_t k = 0; k < extent; ++k) {
      top = std::max(top, v[static_cast<std::size_t>(first + k * inner)]);
    }
    double sum = 0;
    for (std::int64_t k = 0; k < extent; ++k) {
      sum += std::exp(v[static_cast<std::size_t>(first + k * inner)] - top);
    }
    y[i] = std::exp(v[i] - top) / sum;
  }
  return {Tensor::from(y, shape)};
}

Sample softmax_sample(const char* name, const Shape& x, std::int64_t dim = -1) {
  return {.name = name,
          .args = {{.shape = x, .scale = 2}},
          .run = [=](In t) { return std::vector{softmax(t[0], {.dim = dim})}; },
          .reference = [=](In t) { return softmax_reference(t, dim); }};
}

const OpRows rows{
    OpRow{
        .op = "softmax",
        .samples =
            {
                softmax_sample("one row", {1, 9}),
                softmax_sample("odd", {7, 33}),
                softmax_sample("first dimension", {13, 5}, 0),
                softmax_sample("middle dimension", {3, 6, 70}, 1),
                softmax_sample("middle dimension from the end", {2, 3, 4, 5}, -2),
                softmax_sample("scalar", {}),
                softmax_sample("one class", {6, 1}),
                softmax_sample("no rows", {0, 8}),
                softmax_sample("no classes", {4, 0}),
                softmax_sample("wider than a block", {3, 1111}),
                softmax_sample("many rows", {1200, 40}),
            },
        .errors =
            {
                {.name = "dimension out of range",
                 .run = [] { softmax(Tensor::of({1, 2}), {.dim = 1}); },
                 .kind = ErrorKind::index,
                 .message =
                     "softmax: dim is 1 but the input has shape [2]; dim must be in [-1, 1)"},
                {.name = "negative dimension out of range",
                 .run = [] { softmax(Tensor::of({1, 2}), {.dim = -2}); },
                 .kind = ErrorKind::index,
                 .message =
                     "softmax: dim is -2 but the input has shape [2]; dim must be in [-1, 1)"},
                {.name = "integers",
                 .run = [] { softmax(empty({3}, {.dtype = DType::i32}).fill_(1)); },
                 .kind = ErrorKind::dtype,
                 .message = "softmax: x is i32[3] but must be floating"},
            },
        .grad_ops = {"softmax_grad"},
    },
};

TEST(Softmax, GivesExactZerosForARowOfMinusInfinity) {
  const std::vector<float> values = {-kInf, -kInf, -kInf, 1, -kInf, 1};
  const std::vector<double> y = softmax(Tensor::from(values, {2, 3})).to_vector();
  EXPECT_EQ(y, (std::vector<double>{0, 0, 0, 0.5, 0, 0.5}));
  const std::vector<double> columns = softmax(Tensor::from(values, {3, 2}), {.dim = 0}).to_vector();
  EXPECT_EQ(columns[0], 0);
  EXPECT_EQ(columns[1], 0);
}

TEST(Softmax, GivesAMaskedRowAZeroGradient) {
  Tensor x = Tensor::from(std::vector<float>{-kInf, -kInf, 2, 1}, {2, 2}).requires_grad_();
  softmax(x).backward(Tensor::of({{1, 2}, {3, 4}}));
  const std::vector<double> grad = x.grad().to_vector();
  EXPECT_EQ(grad[0], 0);
  EXPECT_EQ(grad[1], 0);
  EXPECT_TRUE(std::isfinite(grad[2]));
}

TEST(Softmax, TurnsARowWithNanIntoNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::from(std::vector<float>{1, nan, -kInf, nan, 1, 2}, {3, 2});
  const std::vector<double> y = softmax(x).to_vector();
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(std::isnan(y[i]), i < 4) << i;
}

TEST(Softmax, StaysFiniteForLogitsOf1e4) {
  const Tensor x = Tensor::of({{1e4, -1e4, 0}, {-1e4, -1e4, -1e4}});
  EXPECT_EQ(softmax(x).slice(0, 1).to_vector(), (std::vector<double>{1, 0, 0}));
  for (const double y : softmax(x).slice(1, 2).to_vector())
    EXPECT_FLOAT_EQ(static_cast<float>(y), 1.0f / 3);
}

TEST(Softmax, RunsInF32UnderAutocast) {
  const Autocast autocast(DType::f16);
  EXPECT_EQ(softmax(empty({2, 2}, {.dtype = DType::f16}).fill_(1)).dtype(), DType::f32);
}

}  // namespace
}  // namespace weft::test
