// SPDX-License-Identifier: Apache-2.0
#include "weft/loss/loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "weft/base/error.h"

namespace weft::loss {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Texts = std::vector<std::pair<std::string, std::string>>;

Loss make(const std::string& type, const Texts& texts, const LossTask& task = {}) {
  const auto& entry = loss_registry().at(type);
  return entry.make(OptionValues::parse(entry.options, texts, type), task);
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

Tensor classes(const std::vector<std::int64_t>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

TEST(MSE, IsTheMeanOfSquaredDifferences) {
  EXPECT_DOUBLE_EQ(MSE()(Tensor::of({1, 2}), Tensor::of({3, 2})).item(), 2);
}

TEST(MSE, RefusesShapesThatOnlyBroadcast) {
  EXPECT_THAT(message_of([] { MSE()(Tensor::of({{1, 2}}), Tensor::of({1, 2})); }),
              HasSubstr("mse: output is f32[1,2] but target is f32[2]"));
}

TEST(CrossEntropy, UniformLogitsGiveTheLogarithmOfTheClasses) {
  EXPECT_NEAR(CrossEntropy()(Tensor::of({{1, 1, 1}, {0, 0, 0}}), classes({2, 0})).item(),
              std::log(3.0), 1e-6);
}

TEST(LossRegistry, CrossEntropyTakesWeightsFromAList) {
  const Loss loss = make("cross_entropy", {{"class_weights", "[1, 3]"}}, {.class_counts = {5, 5}});
  const double right = std::log(1 + std::exp(-2.0));
  const double wrong = std::log(1 + std::exp(2.0));
  const Tensor logits = Tensor::of({{2, 0}, {2, 0}});
  EXPECT_NEAR(loss(logits, classes({0, 1})).item(), (right + 3 * wrong) / 4, 1e-6);
}

TEST(LossRegistry, BalancedWeightsMakeAllClassesWeighTheSame) {
  EXPECT_THAT(balanced_weights({1, 3, 0}), ElementsAre(4.0 / 3, 4.0 / 9, 0));
  const Loss loss =
      make("cross_entropy", {{"class_weights", "balanced"}}, {.class_counts = {1, 3}});
  const Tensor logits = Tensor::of({{4, 0}, {4, 0}, {4, 0}, {4, 0}});
  const double zero = std::log(1 + std::exp(-4.0));
  const double one = std::log(1 + std::exp(4.0));
  EXPECT_NEAR(loss(logits, classes({0, 1, 1, 1})).item(), (zero + one) / 2, 1e-5);
}

TEST(LossRegistry, IgnoresTheIgnoredClassAndSmoothes) {
  const Loss loss = make("cross_entropy", {{"ignore_index", "1"}, {"label_smoothing", "0.5"}});
  const double p = 1 / (1 + std::exp(-2.0));
  const double expected = -(0.75 * std::log(p) + 0.25 * std::log(1 - p));
  EXPECT_NEAR(loss(Tensor::of({{2, 0}, {0, 9}}), classes({0, 1})).item(), expected, 1e-6);
}

TEST(LossRegistry, RefusesWeightsThatDoNotFitTheClasses) {
  EXPECT_THAT(message_of([] {
                make("cross_entropy", {{"class_weights", "[1, 2, 3]"}}, {.class_counts = {5, 5}});
              }),
              HasSubstr("class_weights has 3 values but the target has 2 classes"));
  EXPECT_THAT(message_of([] { make("cross_entropy", {{"class_weights", "balanced"}}); }),
              HasSubstr("the target has no classes"));
}

TEST(LossRegistry, EveryLossDocumentsItself) {
  for (const std::string& name : loss_registry().names()) {
    EXPECT_FALSE(loss_registry().at(name).doc.empty());
    EXPECT_EQ(make(name, {}).name(), name);
  }
}

}  // namespace
}  // namespace weft::loss
