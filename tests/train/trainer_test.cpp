// SPDX-License-Identifier: Apache-2.0
#include "weft/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "weft/amp/autocast.h"
#include "weft/base/error.h"
#include "weft/core/context.h"
#include "weft/core/threads.h"
#include "weft/metric/classification.h"
#include "weft/nn/activation.h"
#include "weft/nn/linear.h"
#include "weft/nn/norm.h"
#include "weft/nn/sequential.h"
#include "weft/optim/optimizers.h"

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Two classes of points in the plane, apart along x + y.
data::TensorDataset points(std::int64_t count) {
  std::vector<float> x;
  std::vector<std::int64_t> y;
  for (std::int64_t i = 0; i < count; ++i) {
    const double angle = 0.7 * static_cast<double>(i);
    const double side = i % 2 == 0 ? 1 : -1;
    x.push_back(static_cast<float>(side + 0.8 * std::cos(angle)));
    x.push_back(static_cast<float>(side + 0.8 * std::sin(1.3 * angle)));
    y.push_back(i % 2);
  }
  return data::TensorDataset(Tensor::from(x, {count, 2}), Tensor::from(y, {count}));
}

nn::Sequential network() {
  return nn::Sequential(nn::Linear(2, 8), nn::ReLU(), nn::Dropout(0.1), nn::Linear(8, 2));
}

struct Log : TrainCallback {
  std::vector<std::string> events;
  std::vector<StepReport> steps;
  std::vector<EpochReport> epochs;
  std::vector<EvaluationReport> evaluations;

  void before_run(const RunInfo&) override { events.emplace_back("run"); }
  void before_epoch(std::int64_t epoch) override {
    events.push_back("epoch " + std::to_string(epoch));
  }
  void before_step(std::int64_t step, std::int64_t) override {
    events.push_back("step " + std::to_string(step));
  }
  void after_step(const StepReport& report) override { steps.push_back(report); }
  void before_evaluation(std::int64_t, std::int64_t) override { events.emplace_back("evaluation"); }
  void after_evaluation(const EvaluationReport& report) override { evaluations.push_back(report); }
  void after_epoch(const EpochReport& report) override { epochs.push_back(report); }
  void after_run(const FitResult&) override { events.emplace_back("end"); }
};

/// A trainer with its data, under a session of its own.
class TrainerTest : public ::testing::Test {
 protected:
  struct Outcome {
    FitResult result;
    Log log;
    StateDict weights;
  };

  static data::DataLoader loader(std::int64_t count, std::int64_t batch, bool shuffle = false,
                                 data::LastBatch last = data::LastBatch::keep) {
    return {
        points(count),
        {.batch_size = batch, .shuffle = shuffle, .last_batch = last, .prefetch = 0, .seed = 5}};
  }

  static Outcome run(const TrainerOptions& options, std::int64_t count = 22, std::int64_t batch = 8,
                     bool validate = true) {
    const ContextScope scope(Context::make(current_settings(), 1));
    nn::Sequential net = network();
    Trainer trainer(net, loss::CrossEntropy(), optim::AdamW(net.parameters(), {.lr = 0.05}),
                    options);
    trainer.metrics({std::make_shared<metric::Accuracy>()});
    const auto log = std::make_shared<Log>();
    trainer.add(log);
    data::DataLoader train = loader(count, batch, true);
    data::DataLoader val = loader(10, 4);
    Outcome out;
    out.result = trainer.fit(train, validate ? &val : nullptr);
    out.log = *log;
    for (const auto& [name, value] : net.state_dict())
      out.weights.emplace_back(name, value.clone());
    return out;
  }

  static void expect_same(const StateDict& a, const StateDict& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].second.to_vector(), b[i].second.to_vector()) << a[i].first;
    }
  }

  template <class F>
  static Error error_of(F&& f) {
    try {
      f();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Error(ErrorKind::internal, "");
  }
};

TEST_F(TrainerTest, LearnsToSeparateTwoClasses) {
  const Outcome out = run({.epochs = 20}, 64);
  EXPECT_GT(find_value(out.result.last_values, "val/accuracy").value(), 0.85);
  EXPECT_LT(find_value(out.result.last_values, "train/loss").value(), 0.4);
}

TEST_F(TrainerTest, LearnsInHalfPrecisionToo) {
  for (const DType dtype : {DType::bf16, DType::f16}) {
    for (const bool capture : {false, true}) {
      const Autocast autocast(dtype);
      TrainerOptions options{.epochs = 20, .capture = capture};
      if (dtype == DType::f16) options.loss_scaler = optim::LossScaler({.init = 1024});
      const Outcome out = run(options, 64);
      EXPECT_GT(find_value(out.result.last_values, "val/accuracy").value(), 0.85) << name_of(dtype);
      EXPECT_EQ(out.weights[0].second.dtype(), DType::f32) << "the masters stay f32";
    }
  }
}

TEST_F(TrainerTest, AnOverflowUnderLossScalingIsSkippedAndNamesItsParameter) {
  const Autocast autocast(DType::f16);
  const Outcome out = run({.epochs = 2, .loss_scaler = optim::LossScaler({.init = 1e30})}, 64);
  ASSERT_FALSE(out.log.steps.empty());
  EXPECT_FALSE(out.log.steps[0].applied);
  EXPECT_THAT(out.log.steps[0].overflowed,
              ::testing::AnyOf("0.weight", "0.bias", "3.weight", "3.bias"));
  EXPECT_TRUE(std::isfinite(out.log.steps[0].loss)) << "only the scaled loss overflowed";
}

TEST_F(TrainerTest, TellsWhatHappensInOrder) {
  const Outcome out = run({.epochs = 2, .sanity_batches = 0}, 10, 8);
  EXPECT_THAT(out.log.events, ElementsAre("run", "epoch 1", "step 1", "step 2", "evaluation",
                                          "epoch 2", "step 3", "step 4", "evaluation", "end"));
}

TEST_F(TrainerTest, StepsCountFromOneAndUseTheFactorOfTheStepsBefore) {
  const Outcome out =
      run({.epochs = 1,
           .schedule = optim::Schedule({optim::SchedulePhase::linear(0, 1).for_steps(2)})});
  ASSERT_EQ(out.log.steps.size(), 3u);
  EXPECT_EQ(out.log.steps[0].step, 1);
  EXPECT_DOUBLE_EQ(out.log.steps[0].lr, 0);
  EXPECT_DOUBLE_EQ(out.log.steps[1].lr, 0.025);
  EXPECT_DOUBLE_EQ(out.log.steps[2].lr, 0.05);
}

TEST_F(TrainerTest, TheEpochsLossIsTheMeanOverItsSamples) {
  const Outcome out = run({.epochs = 1});
  double sum = 0;
  for (const StepReport& step : out.log.steps) {
    sum += step.loss * static_cast<double>(step.samples);
  }
  EXPECT_DOUBLE_EQ(find_value(out.log.epochs[0].values, "train/loss").value(), sum / 22);
  EXPECT_EQ(out.log.steps.back().samples, 6);
}

TEST_F(TrainerTest, ResultsRepeatAndDoNotDependOnThreads) {
  const Outcome first = run({.epochs = 3});
  for (const int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    const Outcome again = run({.epochs = 3});
    expect_same(first.weights, again.weights);
    EXPECT_EQ(first.result.last_values, again.result.last_values);
  }
  set_num_threads(0);
}

TEST_F(TrainerTest, ACapturedRunEqualsAnEagerOne) {
  const Outcome eager = run({.epochs = 10, .clip_grad_norm = 0.5});
  const Outcome captured = run({.epochs = 10, .clip_grad_norm = 0.5, .capture = true});
  expect_same(eager.weights, captured.weights);
  EXPECT_EQ(eager.result.last_values, captured.result.last_values);
  EXPECT_GT(captured.result.capture.replayed, 20u) << captured.result.capture.reason;
  EXPECT_EQ(eager.result.capture.replayed, 0u);
}

TEST_F(TrainerTest, AccumulationEqualsTheLargerBatch) {
  const auto weights = [](std::int64_t batch, std::int64_t accumulate) {
    const ContextScope scope(Context::make({}, 1));
    nn::Sequential net(nn::Linear(2, 4), nn::ReLU(), nn::Linear(4, 2));
    net.to(DType::f64);
    Trainer trainer(net, loss::CrossEntropy(), optim::SGD(net.parameters(), {.lr = 0.1}),
                    {.epochs = 2, .accumulate = accumulate});
    const data::TensorDataset f32 = points(22);
    data::DataLoader train(data::TensorDataset(f32.x().to(DType::f64), f32.y()),
                           {.batch_size = batch, .shuffle = false, .prefetch = 0});
    EXPECT_EQ(trainer.fit(train).steps, 4);
    return net.state_dict()[0].second.to_vector();
  };
  const auto whole = weights(12, 1);
  const auto parts = weights(4, 3);
  for (std::size_t i = 0; i < whole.size(); ++i) EXPECT_NEAR(whole[i], parts[i], 1e-12);
}

TEST_F(TrainerTest, PaddingCountsForNothing) {
  const auto figures = [](data::LastBatch last) {
    const ContextScope scope(Context::make({}, 1));
    nn::Sequential net(nn::Linear(2, 2));
    Trainer trainer(net, loss::CrossEntropy(), optim::SGD(net.parameters(), {.lr = 0.1}),
                    {.epochs = 1});
    data::DataLoader train = loader(11, 8, false, last);
    data::DataLoader val = loader(7, 4, false, last);
    return trainer.fit(train, &val).last_values;
  };
  const NamedValues kept = figures(data::LastBatch::keep);
  const NamedValues padded = figures(data::LastBatch::pad);
  ASSERT_EQ(kept.size(), padded.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    EXPECT_NEAR(kept[i].second, padded[i].second, 1e-6) << kept[i].first;
  }
}

TEST_F(TrainerTest, MaxStepsEndsTheRunAndEvaluates) {
  const Outcome out = run({.epochs = 5, .max_steps = 4});
  EXPECT_EQ(out.result.reason, StopReason::max_steps);
  EXPECT_EQ(out.result.steps, 4);
  EXPECT_EQ(out.result.epochs, 2);
  EXPECT_EQ(out.log.evaluations.size(), 2u);
}

TEST_F(TrainerTest, MaxTimeEndsTheRunAfterAStep) {
  const Outcome out = run({.max_time = 1e-9});
  EXPECT_EQ(out.result.reason, StopReason::max_time);
  EXPECT_EQ(out.result.steps, 1);
}

TEST_F(TrainerTest, EvaluatesEverySoManyStepsWhenTold) {
  const Outcome out = run({.epochs = 2, .eval_every_steps = 2});
  std::vector<std::int64_t> steps;
  for (const EvaluationReport& report : out.log.evaluations) steps.push_back(report.step);
  EXPECT_THAT(steps, ElementsAre(2, 4, 6));
}

TEST_F(TrainerTest, EvaluatesAfterSomeEpochsAndAlwaysAfterTheLast) {
  const Outcome out = run({.epochs = 5, .eval_every_epochs = 2});
  std::vector<std::int64_t> epochs;
  for (const EvaluationReport& report : out.log.evaluations) epochs.push_back(report.epoch);
  EXPECT_THAT(epochs, ElementsAre(2, 4, 5));
}

TEST_F(TrainerTest, SanityBatchesLeaveNoTrace) {
  const Outcome with = run({.epochs = 2, .sanity_batches = 2});
  const Outcome without = run({.epochs = 2, .sanity_batches = 0});
  expect_same(with.weights, without.weights);
  EXPECT_EQ(with.log.events, without.log.events);
}

/// Makes every weight the number of the epoch.
struct Spoiler : TrainCallback {
  explicit Spoiler(nn::Sequential model) : net(std::move(model)) {}
  nn::Sequential net;
  void before_epoch(std::int64_t epoch) override {
    for (const auto& [name, value] : net.state_dict())
      Tensor(value).fill_(static_cast<double>(epoch));
  }
};

TEST_F(TrainerTest, KeepsTheBestWeightsAndTheFirstOfEqualOnes) {
  const ContextScope scope(Context::make({}, 1));
  nn::Sequential net(nn::Linear(2, 2));
  Trainer trainer(net, loss::CrossEntropy(), optim::SGD(net.parameters(), {.lr = 0}),
                  {.epochs = 3, .best = "val/accuracy"});
  trainer.metrics({std::make_shared<metric::Accuracy>()});
  const auto spoiler = std::make_shared<Spoiler>(net);
  trainer.add(spoiler);
  data::DataLoader train = loader(8, 4);
  data::DataLoader val = loader(8, 4);
  const FitResult result = trainer.fit(train, &val);
  EXPECT_EQ(result.best_epoch, 1) << "all epochs are equal";
  EXPECT_EQ(net.state_dict()[0].second.to_vector()[0], 3);
  trainer.load_best();
  EXPECT_EQ(net.state_dict()[0].second.to_vector()[0], 1);
}

TEST_F(TrainerTest, StopsEarlyAfterPatienceEvaluationsWithoutGain) {
  const ContextScope scope(Context::make({}, 1));
  nn::Sequential net(nn::Linear(2, 2));
  Trainer trainer(net, loss::CrossEntropy(), optim::SGD(net.parameters(), {.lr = 0}),
                  {.epochs = 50, .early_stopping = EarlyStopping{.patience = 3}});
  data::DataLoader train = loader(8, 4);
  data::DataLoader val = loader(8, 4);
  const FitResult result = trainer.fit(train, &val);
  EXPECT_EQ(result.reason, StopReason::early_stopping);
  EXPECT_EQ(result.epochs, 4);
}

struct StopAt : TrainCallback {
  Trainer* trainer = nullptr;
  std::int64_t at = 0;
  void before_step(std::int64_t step, std::int64_t) override {
    if (step == at) trainer->request_stop();
  }
};

TEST_F(TrainerTest, AStopRequestEndsTheRunAfterTheStepWithoutEvaluation) {
  const ContextScope scope(Context::make({}, 1));
  nn::Sequential net = network();
  Trainer trainer(net, loss::CrossEntropy(), optim::SGD(net.parameters(), {.lr = 0.1}),
                  {.epochs = 5});
  const auto stop = std::make_shared<StopAt>();
  stop->trainer = &trainer;
  stop->at = 5;
  const auto log = std::make_shared<Log>();
  trainer.add(stop).add(log);
  data::DataLoader train = loader(22, 8);
  data::DataLoader val = loader(8, 4);
  const FitResult result = trainer.fit(train, &val);
  EXPECT_EQ(result.reason, StopReason::requested);
  EXPECT_EQ(result.steps, 5);
  EXPECT_EQ(log->evaluations.size(), 1u);
}

data::TensorDataset poisoned() {
  Tensor x = points(8).x().clone();
  x.mutable_data<float>()[9] = std::numeric_limits<float>::quiet_NaN();
  return data::TensorDataset(x, points(8).y());
}

TEST_F(TrainerTest, ANonFiniteLossStopsWithStepAndAdvice) {
  nn::Sequential net(nn::Linear(2, 2));
  Trainer trainer(net, loss::CrossEntropy(), optim::SGD(net.parameters(), {.lr = 0.1}),
                  {.epochs = 1});
  data::DataLoader train(poisoned(), {.batch_size = 2, .shuffle = false, .prefetch = 0});
  const Error error = error_of([&] { trainer.fit(train); });
  EXPECT_EQ(error.kind(), ErrorKind::nonfinite);
  EXPECT_THAT(error.what(), HasSubstr("the loss is nan at step 3, epoch 1; the step was left out"));
}

TEST_F(TrainerTest, ANonFiniteLossIsSkippedWhenTold) {
  nn::Sequential net(nn::Linear(2, 2));
  Trainer trainer(net, loss::CrossEntropy(), optim::SGD(net.parameters(), {.lr = 0.1}),
                  {.epochs = 1, .on_nonfinite = OnNonfinite::skip});
  const auto log = std::make_shared<Log>();
  trainer.add(log);
  data::DataLoader train(poisoned(), {.batch_size = 2, .shuffle = false, .prefetch = 0});
  EXPECT_EQ(trainer.fit(train).steps, 4);
  EXPECT_TRUE(log->steps[1].applied);
  EXPECT_FALSE(log->steps[2].applied);
  for (const double w : net.state_dict()[0].second.to_vector()) EXPECT_TRUE(std::isfinite(w));
}

TEST_F(TrainerTest, AnUnknownFigureIsAnErrorBeforeTheFirstStep) {
  EXPECT_THAT(error_of([] { run({.epochs = 1, .best = "val/f2"}); }).what(),
              HasSubstr("best is `val/f2` but there is no such figure"));
  EXPECT_THAT(error_of([] { run({.epochs = 1, .best = "val/loss"}, 22, 8, false); }).what(),
              HasSubstr("there is no validation data"));
}

TEST_F(TrainerTest, ARunWithoutABudgetIsRefused) {
  EXPECT_THAT(error_of([] { run({}); }).what(), HasSubstr("give epochs, max_steps or max_time"));
}

TEST_F(TrainerTest, WithoutValidationTheTrainingLossChoosesTheBest) {
  const Outcome out = run({.epochs = 3}, 22, 8, false);
  EXPECT_THAT(out.log.evaluations, IsEmpty());
  EXPECT_TRUE(find_value(out.result.best_values, "train/loss").has_value());
}

TEST_F(TrainerTest, EvaluateWeighsSamplesAndNamesMetrics) {
  const ContextScope scope(Context::make({}, 1));
  nn::Sequential net = network();
  Trainer trainer(net, loss::CrossEntropy(), optim::SGD(net.parameters(), {.lr = 0.1}),
                  {.epochs = 1});
  trainer.metrics({std::make_shared<metric::Accuracy>()});
  data::DataLoader whole = loader(10, 10);
  data::DataLoader parts = loader(10, 4);
  const Evaluation a = trainer.evaluate(whole);
  const Evaluation b = trainer.evaluate(parts);
  EXPECT_EQ(a.samples, 10);
  EXPECT_EQ(a.values[1].first, "accuracy");
  EXPECT_NEAR(a.values[0].second, b.values[0].second, 1e-6);
  EXPECT_EQ(a.values[1].second, b.values[1].second);
  EXPECT_TRUE(net.is_training()) << "evaluation leaves the mode as it was";
}

TEST_F(TrainerTest, PredictGivesEveryOutputInOrder) {
  const ContextScope scope(Context::make({}, 1));
  nn::Sequential net = network();
  Trainer trainer(net, loss::CrossEntropy(), optim::SGD(net.parameters(), {.lr = 0.1}),
                  {.epochs = 1});
  data::DataLoader parts = loader(10, 4, false, data::LastBatch::pad);
  const Tensor all = trainer.predict(parts);
  net.eval();
  const Tensor expected = net(points(10).x());
  ASSERT_EQ(all.shape(), (Shape{10, 2}));
  const auto a = all.to_vector();
  const auto b = expected.to_vector();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-6);
}

}  // namespace
}  // namespace weft
