// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/ops/support/op_row.h"
#include "weft/amp/autocast.h"

namespace weft::test {
namespace {

/// logsumexp - logit, smoothed by Szegedy et al. 2016, eq. 7, class by class.
std::vector<Tensor> cross_entropy_reference(In x, const CrossEntropyOptions& o, bool weighted) {
  const std::vector<double> logits = x[0].to_vector(), targets = x[1].to_vector();
  const auto classes = static_cast<std::size_t>(x[0].shape().back());
  const std::vector<double> weight =
      weighted ? x[2].to_vector() : std::vector<double>(classes, 1.0);
  std::vector<double> losses(targets.size());
  double total = 0, sum = 0;
  for (std::size_t row = 0; row < targets.size(); ++row) {
    if (targets[row] == static_cast<double>(o.ignore_index)) continue;
    const double* v = logits.data() + row * classes;
    double top = v[0], exponentials = 0;
    for (std::size_t c = 0; c < classes; ++c) top = std::max(top, v[c]);
    for (std::size_t c = 0; c < classes; ++c) exponentials += std::exp(v[c] - top);
    const double logsumexp = top + std::log(exponentials);
    for (std::size_t c = 0; c < classes; ++c) {
      const double wanted = (static_cast<double>(c) == targets[row] ? 1 - o.label_smoothing : 0) +
                            o.label_smoothing / static_cast<double>(classes);
      losses[row] += wanted * weight[c] * (logsumexp - v[c]);
    }
    total += weight[static_cast<std::size_t>(targets[row])];
    sum += losses[row];
  }
  if (o.reduction == Reduction::none) return {Tensor::from(losses, x[1].shape())};
  return {Tensor::from(std::vector{o.reduction == Reduction::mean ? sum / total : sum}, Shape())};
}

Sample loss_sample(const char* name, const Shape& logits, const CrossEntropyOptions& options = {},
                   bool weighted = false, DType index = DType::i64) {
  const std::int64_t classes = logits.back();
  std::vector<Arg> args = {{.shape = logits, .scale = 2},
                           {.shape = logits.without(logits.rank() - 1),
                            .fill = Fill::labels,
                            .bound = classes,
                            .dtype = index}};
  if (weighted) args.push_back({.shape = {classes}, .fill = Fill::positive, .grad = false});
  return {.name = name,
          .args = args,
          .run =
              [=](In t) {
                CrossEntropyOptions o = options;
                if (weighted) o.weight = t[2];
                return std::vector{cross_entropy(t[0], t[1], o)};
              },
          .reference = [=](In t) { return cross_entropy_reference(t, options, weighted); }};
}

template <class T = std::int64_t>
Tensor labels(const std::vector<T>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

Tensor ones(const Shape& shape) { return empty(shape).fill_(1); }

const OpRows rows{
    OpRow{
        .op = "cross_entropy",
        .samples =
            {
                loss_sample("one row", {1, 5}),
                loss_sample("odd", {7, 33}),
                loss_sample("i32 targets", {8, 10}, {}, false, DType::i32),
                loss_sample("one class", {4, 1}),
                loss_sample("vector", {6}),
                loss_sample("three dimensions", {2, 3, 11}),
                loss_sample("smoothed", {9, 6}, {.label_smoothing = 0.2}),
                loss_sample("weighted", {9, 6}, {}, true),
                loss_sample("weighted and smoothed", {9, 6}, {.label_smoothing = 0.1}, true),
                loss_sample("class 2 ignored", {40, 3}, {.ignore_index = 2}, true),
                loss_sample("sum", {5, 8}, {.label_smoothing = 0.1, .reduction = Reduction::sum}),
                loss_sample("none", {5, 8}, {.reduction = Reduction::none}, true),
                loss_sample("no rows", {0, 8}, {.reduction = Reduction::sum}),
                loss_sample("wider than a block", {3, 1111}, {.label_smoothing = 0.3}),
                loss_sample("many rows", {4000, 10}),
            },
        .errors =
            {
                {.name = "target beyond the classes, the lowest position named",
                 .run = [] { cross_entropy(ones({4, 10}), labels({1, 12, 3, -1})); },
                 .kind = ErrorKind::index,
                 .message = "cross_entropy: targets[1] is 12 but logits have 10 classes"},
                {.name = "negative target",
                 .run = [] { cross_entropy(ones({2, 10}), labels<std::int32_t>({1, -1})); },
                 .kind = ErrorKind::index,
                 .message = "cross_entropy: targets[1] is -1 but logits have 10 classes"},
                {.name = "targets of another length",
                 .run = [] { cross_entropy(ones({4, 10}), labels({1, 2})); },
                 .kind = ErrorKind::shape,
                 .message =
                     "cross_entropy: targets is i64[2] but logits is f32[4,10]: targets must "
                     "be [4], one class per row of logits"},
                {.name = "floating targets",
                 .run = [] { cross_entropy(ones({4, 10}), ones({4})); },
                 .kind = ErrorKind::dtype,
                 .message = "cross_entropy: targets is f32[4] but indices must be i32 or i64"},
                {.name = "smoothing above 1",
                 .run = [] { cross_entropy(ones({1, 2}), labels({1}), {.label_smoothing = 1.5}); },
                 .kind = ErrorKind::value,
                 .message = "cross_entropy: label_smoothing is 1.5 but must be in [0, 1]"},
                {.name = "weight of another length",
                 .run = [] { cross_entropy(ones({1, 2}), labels({1}), {.weight = ones({3})}); },
                 .kind = ErrorKind::shape,
                 .message = "cross_entropy: weight is f32[3] but must be [2]: one factor per class "
                            "of logits"},
            },
        .grad_ops = {"cross_entropy_grad"},
    },
};

TEST(CrossEntropy, StaysFiniteForLogitsOf1e4) {
  Tensor logits = Tensor::of({{1e4, -1e4, 0}, {-1e4, 1e4, 1e4}}).requires_grad_();
  const Tensor loss = cross_entropy(logits, labels({1, 1}), {.label_smoothing = 0.1});
  EXPECT_TRUE(std::isfinite(loss.item()));
  loss.backward();
  for (const double g : logits.grad().to_vector()) EXPECT_TRUE(std::isfinite(g));
}

TEST(CrossEntropy, IsNanWhenEveryTargetIsIgnored) {
  Tensor logits = ones({3, 4}).requires_grad_();
  const Tensor loss = cross_entropy(logits, labels({-100, -100, -100}));
  EXPECT_TRUE(std::isnan(loss.item()));
  loss.backward();
  EXPECT_EQ(logits.grad().to_vector(), std::vector<double>(12, 0.0));
}

TEST(CrossEntropy, GivesIgnoredTargetsNoLossAndNoGradient) {
  Tensor logits = Tensor::of({{1, 2}, {3, 5}}).requires_grad_();
  const Tensor loss =
      cross_entropy(logits, labels({7, 0}), {.ignore_index = 7, .reduction = Reduction::none});
  EXPECT_EQ(loss.to_vector()[0], 0);
  EXPECT_NEAR(loss.to_vector()[1], std::log1p(std::exp(2)), 1e-6);
  loss.backward(ones({2}));
  EXPECT_EQ(logits.grad().to_vector()[0], 0);
  EXPECT_EQ(logits.grad().to_vector()[1], 0);
  EXPECT_NE(logits.grad().to_vector()[2], 0);
}

TEST(CrossEntropy, DividesByTheWeightsOfTheTargetsThatCount) {
  const Tensor logits = Tensor::of({{0, 0}, {0, 0}, {0, 0}});
  const double mean =
      cross_entropy(logits, labels({0, 1, -100}), {.weight = Tensor::of({1, 3})}).item();
  EXPECT_NEAR(mean, std::log(2), 1e-6);
}

TEST(CrossEntropy, LeavesItsLogitsUntouched) {
  Tensor logits = Tensor::of({{1, 2, 3}}).requires_grad_();
  const std::uint32_t version = logits.version();
  cross_entropy(logits, labels({1})).backward();
  EXPECT_EQ(logits.to_vector(), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(logits.version(), version);
}

TEST(CrossEntropy, IsNanForNanLogits) {
  Tensor logits = ones({2, 3});
  logits.mutable_data<float>()[4] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<double> losses =
      cross_entropy(logits, labels({0, 0}), {.reduction = Reduction::none}).to_vector();
  EXPECT_FALSE(std::isnan(losses[0]));
  EXPECT_TRUE(std::isnan(losses[1]));
}

TEST(CrossEntropy, RunsInF32UnderAutocast) {
  const Autocast autocast(DType::bf16);
  const Tensor logits = empty({2, 3}, {.dtype = DType::bf16}).fill_(1);
  EXPECT_EQ(cross_entropy(logits, labels({0, 1})).dtype(), DType::f32);
}

}  // namespace
}  // namespace weft::test
