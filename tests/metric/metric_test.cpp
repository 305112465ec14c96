// SPDX-License-Identifier: Apache-2.0
#include "weft/metric/metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "weft/base/error.h"
#include "weft/metric/classification.h"
#include "weft/metric/regression.h"

namespace weft::metric {
namespace {

using ::testing::HasSubstr;

Tensor classes(const std::vector<std::int64_t>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

/// f64 [n, 1]
Tensor column(const std::vector<double>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size()), 1});
}

/// Scores whose largest is at the given class of `count`.
Tensor guesses(const std::vector<std::int64_t>& values, std::int64_t count) {
  std::vector<float> out(values.size() * static_cast<std::size_t>(count), 0.0F);
  for (std::size_t i = 0; i < values.size(); ++i) {
    out[i * static_cast<std::size_t>(count) + static_cast<std::size_t>(values[i])] = 1;
  }
  return Tensor::from(out, {static_cast<std::int64_t>(values.size()), count});
}

// scikit-learn 1.4, precision_recall_fscore_support of these labels; class 2 is never predicted.
const std::vector<std::int64_t> kTruth = {0, 0, 0, 1, 1, 2};
const std::vector<std::int64_t> kGuess = {0, 0, 1, 1, 0, 1};

double score(ClassScore which, Average average) {
  ClassScoreMetric metric(which, average);
  metric.update(guesses(kGuess, 3), classes(kTruth));
  return metric.compute().value;
}

TEST(Accuracy, IsTheShareOfRightSamplesOverBatchesOfAnySize) {
  Accuracy accuracy;
  accuracy.update(guesses({0, 1, 2}, 3), classes({0, 1, 1}));
  accuracy.update(guesses({2}, 3), classes({2}));
  EXPECT_DOUBLE_EQ(accuracy.compute().value, 0.75);
  accuracy.reset();
  accuracy.update(guesses({2}, 3), classes({2}));
  EXPECT_DOUBLE_EQ(accuracy.compute().value, 1);
}

TEST(Accuracy, TakesTheFirstOfEqualScores) {
  Accuracy accuracy;
  accuracy.update(Tensor::of({{1, 1}}), classes({0}));
  EXPECT_EQ(accuracy.compute().value, 1);
}

TEST(Accuracy, AcceptsProbabilitiesAsTargets) {
  Accuracy accuracy;
  accuracy.update(guesses({0, 1}, 2), Tensor::of({{0.9, 0.1}, {0.8, 0.2}}));
  EXPECT_DOUBLE_EQ(accuracy.compute().value, 0.5);
}

TEST(Accuracy, IgnoresTargetsOfTheIgnoredClass) {
  Accuracy accuracy(-100);
  accuracy.update(guesses({0, 1}, 2), classes({0, -100}));
  EXPECT_EQ(accuracy.compute().value, 1);
}

TEST(Accuracy, WithoutSamplesIsZeroAndSaysSo) {
  const Value value = Accuracy().compute();
  EXPECT_EQ(value.value, 0);
  EXPECT_THAT(value.note, HasSubstr("no samples"));
}

TEST(ClassScore, MatchesItsDefinitionsForAllAverages) {
  EXPECT_DOUBLE_EQ(score(ClassScore::precision, Average::macro), (2.0 / 3 + 1.0 / 3 + 0) / 3);
  EXPECT_DOUBLE_EQ(score(ClassScore::recall, Average::macro), (2.0 / 3 + 1.0 / 2 + 0) / 3);
  EXPECT_DOUBLE_EQ(score(ClassScore::f1, Average::macro), (4.0 / 6 + 2.0 / 5 + 0) / 3);
  EXPECT_DOUBLE_EQ(score(ClassScore::f1, Average::weighted), (3 * 4.0 / 6 + 2 * 2.0 / 5 + 0) / 6);
  EXPECT_DOUBLE_EQ(score(ClassScore::f1, Average::micro), 0.5);
}

TEST(ClassScore, AZeroDenominatorCountsAsZeroAndIsTold) {
  ClassScoreMetric precision(ClassScore::precision);
  precision.update(guesses(kGuess, 3), classes(kTruth));
  EXPECT_THAT(precision.compute().note, HasSubstr("zero for class 2"));
  ClassScoreMetric recall(ClassScore::recall);
  recall.update(guesses(kGuess, 3), classes(kTruth));
  EXPECT_EQ(recall.compute().note, "") << "every class has samples";
}

TEST(ClassScore, AverageIsPartOfTheName) {
  EXPECT_EQ(ClassScoreMetric(ClassScore::f1).name(), "f1");
  EXPECT_EQ(ClassScoreMetric(ClassScore::recall, Average::weighted).name(), "recall_weighted");
}

TEST(ClassCounts, ATargetOutsideTheClassesNamesItsPosition) {
  Accuracy accuracy;
  try {
    accuracy.update(guesses({0, 1}, 2), classes({1, 7}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::index);
    EXPECT_THAT(error.what(), HasSubstr("target[1] is 7 but output has 2 classes"));
  }
}

TEST(ClassCounts, RefusesShapesThatDoNotFit) {
  Accuracy accuracy;
  EXPECT_THROW(accuracy.update(guesses({0, 1}, 2), classes({1})), Error);
  accuracy.update(guesses({0}, 2), classes({1}));
  EXPECT_THROW(accuracy.update(guesses({0}, 3), classes({1})), Error);
}

TEST(MAE, IsTheMeanOfAbsoluteDifferences) {
  MAE mae;
  mae.update(column({1, 2}), column({3, 2}));
  mae.update(column({0}), column({-1}));
  EXPECT_DOUBLE_EQ(mae.compute().value, 1);
}

TEST(R2, IsOneForPerfectAndZeroForMeanPredictions) {
  R2 r2;
  r2.update(column({1, 2, 3}), column({1, 2, 3}));
  EXPECT_DOUBLE_EQ(r2.compute().value, 1);
  r2.reset();
  r2.update(column({2, 2, 2}), column({1, 2, 3}));
  EXPECT_DOUBLE_EQ(r2.compute().value, 0);
}

TEST(R2, StaysExactWhenTargetsAreLarge) {
  R2 r2;
  const double far = 1e6;
  r2.update(column({far + 1, far + 2, far + 4}), column({far + 1, far + 2, far + 3}));
  EXPECT_NEAR(r2.compute().value, 0.5, 1e-9);
}

TEST(R2, EqualTargetsCountAsZeroAndAreTold) {
  R2 r2;
  r2.update(Tensor::of({{1, 1}, {2, 5}}), Tensor::of({{1, 5}, {2, 5}}));
  EXPECT_DOUBLE_EQ(r2.compute().value, 0.5);
  EXPECT_THAT(r2.compute().note, HasSubstr("column 1"));
}

TEST(WeightedMean, WeighsBatchesByTheirSamples) {
  WeightedMean mean;
  EXPECT_EQ(mean.value(), 0);
  mean.add(1, 3);
  mean.add(5, 1);
  EXPECT_DOUBLE_EQ(mean.value(), 2);
}

TEST(MetricSet, GivesValuesInOrderAndRefusesEqualNames) {
  MetricSet set({std::make_shared<Accuracy>(), std::make_shared<ClassScoreMetric>(ClassScore::f1)});
  set.update(guesses(kGuess, 3), classes(kTruth));
  const auto values = set.compute();
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[0].first, "accuracy");
  EXPECT_EQ(values[1].first, "f1");
  EXPECT_THROW(MetricSet({std::make_shared<Accuracy>(), std::make_shared<Accuracy>()}), Error);
}

TEST(MetricRegistry, MakesEveryMetricWithItsName) {
  for (const std::string& name : metric_registry().names()) {
    const auto& entry = metric_registry().at(name);
    const MetricPtr metric = entry.make(OptionValues(entry.options), {});
    EXPECT_EQ(metric->name(), name);
    EXPECT_FALSE(entry.doc.empty());
  }
  const auto& f1 = metric_registry().at("f1");
  EXPECT_EQ(f1.make(OptionValues::parse(f1.options, {{{"average", "micro"}}}, "f1"), {})->name(),
            "f1_micro");
}

}  // namespace
}  // namespace weft::metric
