// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/ops/support/op_row.h"
#include "weft/amp/autocast.h"
#include "weft/base/text.h"
#include "weft/ops/cast.h"

namespace weft::test {
namespace {

struct Affine {
  bool weight = true;
  bool bias = true;
};

Tensor optional_input(In x, std::size_t i, bool present) { return present ? x[i] : Tensor(); }

std::vector<Arg> norm_args(const Shape& x, const Shape& affine, Affine has) {
  std::vector<Arg> args = {{.shape = x}};
  if (has.weight) args.push_back({.shape = affine});
  if (has.bias) args.push_back({.shape = affine});
  return args;
}

/// Ba et al. 2016, eq. 4, with the biased variance.
std::vector<Tensor> layer_norm_reference(In x, Affine has, std::int64_t width, double eps) {
  const std::vector<double> v = x[0].to_vector();
  const std::vector<double> weight = has.weight ? x[1].to_vector() : std::vector<double>();
  const std::vector<double> bias = has.bias ? x[has.weight ? 2 : 1].to_vector() : weight;
  std::vector<double> y(v.size());
  const auto n = static_cast<std::size_t>(width);
  for (std::size_t row = 0; n != 0 && row < v.size() / n; ++row) {
    double mean = 0;
    for (std::size_t i = 0; i < n; ++i) mean += v[row * n + i] / static_cast<double>(n);
    double variance = 0;
    for (std::size_t i = 0; i < n; ++i) {
      variance += std::pow(v[row * n + i] - mean, 2) / static_cast<double>(n);
    }
    for (std::size_t i = 0; i < n; ++i) {
      y[row * n + i] = (v[row * n + i] - mean) / std::sqrt(variance + eps);
      if (has.weight) y[row * n + i] *= weight[i];
      if (has.bias) y[row * n + i] += bias[i];
    }
  }
  return {Tensor::from(y, x[0].shape())};
}

Sample layer_norm_sample(const char* name, const Shape& x, Affine has = {}, std::int64_t dims = 1,
                         double eps = 1e-5) {
  const int lead = x.rank() - static_cast<int>(dims);
  const Shape trailing(x.span().subspan(static_cast<std::size_t>(lead)));
  return {.name = name,
          .args = norm_args(x, trailing, has),
          .run =
              [=](In t) {
                return std::vector{
                    layer_norm(t[0], {.weight = optional_input(t, 1, has.weight),
                                      .bias = optional_input(t, has.weight ? 2 : 1, has.bias),
                                      .eps = eps,
                                      .dims = dims})};
              },
          .reference = [=](In t) { return layer_norm_reference(t, has, trailing.numel(), eps); }};
}

/// Inputs x, running_mean, running_var, weight?, bias?. Ioffe & Szegedy 2015, algorithm 1
/// (training), or with the running statistics.
std::vector<Tensor> batch_norm_reference(In x, Affine has, bool training, double eps) {
  const std::vector<double> v = x[0].to_vector();
  const std::vector<double> weight = has.weight ? x[3].to_vector() : std::vector<double>();
  const std::vector<double> bias = has.bias ? x[has.weight ? 4 : 3].to_vector() : weight;
  const auto width = static_cast<std::size_t>(x[0].shape().back());
  const std::size_t rows = width == 0 ? 0 : v.size() / width;
  std::vector<double> y(v.size());
  for (std::size_t c = 0; c < width; ++c) {
    double mean = x[1].to_vector()[c];
    double variance = x[2].to_vector()[c];
    if (training) {
      mean = variance = 0;
      for (std::size_t r = 0; r < rows; ++r) mean += v[r * width + c] / static_cast<double>(rows);
      for (std::size_t r = 0; r < rows; ++r) {
        variance += std::pow(v[r * width + c] - mean, 2) / static_cast<double>(rows);
      }
    }
    for (std::size_t r = 0; r < rows; ++r) {
      y[r * width + c] = (v[r * width + c] - mean) / std::sqrt(variance + eps);
      if (has.weight) y[r * width + c] *= weight[c];
      if (has.bias) y[r * width + c] += bias[c];
    }
  }
  return {Tensor::from(y, x[0].shape())};
}

/// A copy of the statistics `x` in the dtype that batch_norm wants of them.
Tensor statistics(const Tensor& x) {
  return cast(x, x.dtype() == DType::f64 ? DType::f64 : DType::f32).clone();
}

Sample batch_norm_sample(const char* name, const Shape& x, bool training, Affine has = {}) {
  constexpr double kEps = 1e-3;
  const Shape channels{x.back()};
  std::vector<Arg> args = norm_args(x, channels, has);
  args.insert(args.begin() + 1, {{.shape = channels, .grad = false},
                                 {.shape = channels, .fill = Fill::positive, .grad = false}});
  return {
      .name = name,
      .args = args,
      .run =
          [=](In t) {
            Tensor mean = statistics(t[1]);
            Tensor variance = statistics(t[2]);
            return std::vector{batch_norm(t[0], mean, variance,
                                          {.weight = optional_input(t, 3, has.weight),
                                           .bias = optional_input(t, has.weight ? 4 : 3, has.bias),
                                           .training = training,
                                           .eps = kEps})};
          },
      .reference = [=](In t) { return batch_norm_reference(t, has, training, kEps); }};
}

std::vector<Sample> batch_norm_samples(bool training) {
  std::vector<Sample> samples = {
      batch_norm_sample("matrix", {8, 5}, training),
      batch_norm_sample("two rows", {2, 16}, training),
      batch_norm_sample("image", {3, 5, 7, 4}, training),
      batch_norm_sample("one channel", {9, 1}, training),
      batch_norm_sample("no weight", {7, 17}, training, {.weight = false}),
      batch_norm_sample("no bias", {6, 33}, training, {.bias = false}),
      batch_norm_sample("neither", {4, 3, 8}, training, {.weight = false, .bias = false}),
      batch_norm_sample("many rows", {1500, 24}, training),
      batch_norm_sample("no channels", {4, 0}, training),
  };
  if (!training) {
    samples.push_back(batch_norm_sample("batch 1", {1, 6}, training));
    samples.push_back(batch_norm_sample("vector", {6}, training));
    samples.push_back(batch_norm_sample("no rows", {0, 6}, training));
  }
  return samples;
}

Tensor ones(const Shape& shape, DType dtype = DType::f32) {
  return empty(shape, {.dtype = dtype}).fill_(1);
}

void run_batch_norm(const Shape& x, const Shape& statistics, bool training,
                    DType dtype = DType::f32) {
  Tensor mean = ones(statistics, dtype);
  Tensor variance = ones(statistics, dtype);
  batch_norm(ones(x), mean, variance, {.training = training});
}

const OpRows rows{
    OpRow{
        .op = "layer_norm",
        .samples =
            {
                layer_norm_sample("one row", {1, 8}),
                layer_norm_sample("odd", {7, 33}),
                layer_norm_sample("four dimensions", {2, 3, 5, 17}),
                layer_norm_sample("vector", {19}),
                layer_norm_sample("width 1", {5, 1}),
                layer_norm_sample("no rows", {0, 8}),
                layer_norm_sample("no columns", {4, 0}),
                layer_norm_sample("neither weight nor bias", {6, 16}, {false, false}),
                layer_norm_sample("weight alone", {6, 16}, {.bias = false}),
                layer_norm_sample("bias alone", {6, 16}, {.weight = false}),
                layer_norm_sample("two dimensions", {3, 4, 6}, {}, 2),
                layer_norm_sample("all dimensions", {3, 4, 6}, {}, 3, 0.1),
                layer_norm_sample("wider than a block", {3, 1111}),
                layer_norm_sample("many rows", {2100, 20}),
            },
        .errors =
            {
                {.name = "weight of another width",
                 .run = [] { layer_norm(ones({4, 8}), {.weight = ones({7})}); },
                 .kind = ErrorKind::shape,
                 .message = "layer_norm: weight is f32[7] but must be [8]: the trailing dimensions "
                            "of x"},
                {.name = "bias of another rank",
                 .run = [] { layer_norm(ones({4, 8}), {.bias = ones({4, 8})}); },
                 .kind = ErrorKind::shape,
                 .message = "layer_norm: bias is f32[4,8] but must be [8]: the trailing dimensions "
                            "of x"},
                {.name = "too many dims",
                 .run = [] { layer_norm(ones({4, 8}), {.dims = 3}); },
                 .kind = ErrorKind::value,
                 .message = "layer_norm: dims is 3 but x is f32[4,8]; dims must be in [1, 2]"},
                {.name = "negative eps",
                 .run = [] { layer_norm(ones({4, 8}), {.eps = -1}); },
                 .kind = ErrorKind::value,
                 .message = "layer_norm: eps is -1 but must be >= 0"},
                {.name = "integers",
                 .run = [] { layer_norm(ones({4, 8}, DType::i64)); },
                 .kind = ErrorKind::dtype,
                 .message = "layer_norm: x is i64[4,8] but must be floating"},
            },
        .grad_ops = {"layer_norm_grad"},
    },
    OpRow{
        .op = "batch_norm",
        .samples = batch_norm_samples(false),
        .errors =
            {
                {.name = "scalar",
                 .run = [] { run_batch_norm({}, {1}, false); },
                 .kind = ErrorKind::shape,
                 .message = "batch_norm: x is a scalar but needs a channel dimension"},
                {.name = "statistics of another width",
                 .run = [] { run_batch_norm({4, 8}, {4}, false); },
                 .kind = ErrorKind::shape,
                 .message = "batch_norm: running_mean is f32[4] but must be [8]: one value per "
                            "channel, the last dimension of x"},
                {.name = "statistics of another dtype",
                 .run = [] { run_batch_norm({4, 8}, {8}, false, DType::bf16); },
                 .kind = ErrorKind::dtype,
                 .message = "batch_norm: running_mean is bf16[8] but must be f32 when x is f32"},
            },
        .grad_ops = {"batch_norm_grad"},
    },
    OpRow{
        .op = "batch_norm_train",
        .samples = batch_norm_samples(true),
        .errors =
            {
                {.name = "one value per channel",
                 .run = [] { run_batch_norm({1, 8}, {8}, true); },
                 .kind = ErrorKind::shape,
                 .message = "batch_norm_train: x is f32[1,8], 1 values per channel, but training "
                            "needs at least 2"},
                {.name = "momentum above 1",
                 .run =
                     [] {
                       Tensor mean = ones({8}), variance = ones({8});
                       batch_norm(ones({4, 8}), mean, variance, {.momentum = 1.5});
                     },
                 .kind = ErrorKind::value,
                 .message = "batch_norm_train: momentum is 1.5 but must be in [0, 1]"},
                {.name = "statistics of another width",
                 .run = [] { run_batch_norm({4, 8}, {9}, true); },
                 .kind = ErrorKind::shape,
                 .message = "batch_norm_train: running_mean is f32[9] but must be [8]: one value "
                            "per channel, the last dimension of x"},
            },
        .grad_ops = {"batch_norm_grad"},
    },
};

/// [rows, width] with values 1e4 + (a pattern of deviation about 1): exact in f32.
Tensor far_from_zero(std::int64_t rows, std::int64_t width) {
  std::vector<float> values(static_cast<std::size_t>(rows * width));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 1e4f + 0.125f * static_cast<float>((i * 7919) % 29) - 1.75f;
  }
  return Tensor::from(values, {rows, width});
}

double largest_difference(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector(), y = b.to_vector();
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::abs(x[i] - y[i]));
  return worst;
}

TEST(LayerNorm, StaysAccurateWhenTheMeanIs1e4) {
  const Tensor x = far_from_zero(5, 1000);
  const Tensor exact = layer_norm_reference(std::vector{x}, {false, false}, 1000, 1e-5)[0];
  EXPECT_LT(largest_difference(layer_norm(x), exact), 2e-6);
}

TEST(BatchNorm, StaysAccurateWhenTheMeanIs1e4) {
  const Tensor x = far_from_zero(2000, 6);
  Tensor mean = ones({6}), variance = ones({6});
  const Tensor y = batch_norm(x, mean, variance, {.eps = 1e-5});
  const Tensor exact =
      batch_norm_reference(std::vector{x, mean, variance}, {false, false}, true, 1e-5)[0];
  EXPECT_LT(largest_difference(y, exact), 2e-6);
}

TEST(LayerNorm, TurnsARowWithNanIntoNanAndNoOther) {
  Tensor x = far_from_zero(3, 40);
  x.mutable_data<float>()[45] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<double> y = layer_norm(x).to_vector();
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i / 40 == 1) << i;
}

TEST(LayerNorm, SumsHalvesInF32) {
  // In bf16 the sum would stop growing at 256.
  const Tensor x = cast(far_from_zero(2, 4096), DType::bf16);
  std::vector<double> values = x.to_vector();
  const Tensor exact = layer_norm_reference(std::vector{Tensor::from(values, x.shape())},
                                            {false, false}, 4096, 1e-5)[0];
  EXPECT_LT(largest_difference(layer_norm(x), exact), 0.01);
}

TEST(LayerNorm, AddsWeightGradientsOfTwoPasses) {
  const Tensor x = far_from_zero(6, 9);
  Tensor weight = ones({9}).requires_grad_();
  layer_norm(x, {.weight = weight}).backward(far_from_zero(6, 9));
  const std::vector<double> once = weight.grad().to_vector();
  layer_norm(x, {.weight = weight}).backward(far_from_zero(6, 9));
  const std::vector<double> twice = weight.grad().to_vector();
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_EQ(twice[i], 2 * once[i]);
}

TEST(LayerNorm, RunsInF32UnderAutocast) {
  const Autocast autocast(DType::bf16);
  EXPECT_EQ(layer_norm(ones({4, 8}, DType::bf16)).dtype(), DType::f32);
}

TEST(BatchNorm, MovesRunningStatisticsByMomentumWithTheUnbiasedVariance) {
  const Tensor x = Tensor::of({{1, 10}, {3, 10}, {8, 16}});
  Tensor mean = Tensor::of({0, 2}), variance = Tensor::of({1, 1});
  batch_norm(x, mean, variance, {.momentum = 0.25});
  // Means 4 and 12; sums of squared deviations 26 and 24, over n - 1 = 2.
  EXPECT_EQ(mean.to_vector(), (std::vector<double>{0.25 * 4, 0.75 * 2 + 0.25 * 12}));
  EXPECT_EQ(variance.to_vector(), (std::vector<double>{0.75 + 0.25 * 13, 0.75 + 0.25 * 12}));
}

TEST(BatchNorm, LeavesRunningStatisticsUntouchedInEvaluation) {
  Tensor mean = Tensor::of({1, 2}), variance = Tensor::of({3, 4});
  const std::uint32_t version = mean.version();
  batch_norm(ones({5, 2}), mean, variance, {.training = false});
  EXPECT_EQ(mean.to_vector(), (std::vector<double>{1, 2}));
  EXPECT_EQ(variance.to_vector(), (std::vector<double>{3, 4}));
  EXPECT_EQ(mean.version(), version);
}

}  // namespace
}  // namespace weft::test
