// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>

#include "tests/ops/support/optimizer_step.h"
#include "tests/sim/sim_device.h"
#include "weft/base/error.h"
#include "weft/core/backend.h"
#include "weft/ops/cast.h"

namespace weft::test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Gradients of step `step` for two parameters of two values.
std::vector<Values> grads_at(int step) {
  const double t = step;
  return {{std::sin(t + 1), 0.3 * std::cos(2 * t)}, {1.5 * std::cos(t), -std::sin(3 * t + 2)}};
}

/// 20 steps of `update` against `Reference` in double, in `dtype`.
template <class Reference, class Attrs, class Update>
void follow_for_20_steps(const Attrs& attrs, DType dtype, double tolerance, const Update& update) {
  const StepSettings s = settings(0.05, 0.1);
  Step step;
  set_step_settings(step.state, s);
  for (auto* list : {&step.params, &step.m, &step.v}) {
    for (Tensor& t : *list) t = cast(t, dtype).clone();
  }
  std::vector<Reference> references;
  std::vector<Values> expected;
  for (std::size_t i = 0; i < 2; ++i) {
    references.push_back({attrs, s.groups[i]});
    expected.push_back(step.params[i].to_vector());
  }
  for (int k = 0; k < 20; ++k) {
    const std::vector<Values> grads = grads_at(k);
    for (std::size_t i = 0; i < 2; ++i) {
      step.grads[i] = cast(Tensor::from(grads[i], {2}), dtype);
      references[i].step(expected[i], grads[i]);
    }
    step.begin();
    update(step);
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const Values got = step.params[i].to_vector();
    for (std::size_t j = 0; j < 2; ++j) EXPECT_NEAR(got[j], expected[i][j], tolerance);
  }
}

void follow_sgd(const SgdAttrs& attrs) {
  const auto update = [&](Step& s) { s.sgd(attrs); };
  follow_for_20_steps<SgdReference>(attrs, DType::f64, 1e-13, update);
  follow_for_20_steps<SgdReference>(attrs, DType::f32, 5e-6, update);
}

void follow_adam(const AdamAttrs& attrs) {
  const auto update = [&](Step& s) { s.adam(attrs); };
  follow_for_20_steps<AdamReference>(attrs, DType::f64, 1e-13, update);
  follow_for_20_steps<AdamReference>(attrs, DType::f32, 5e-6, update);
}

TEST(SgdStep, FollowsTheFormulaFor20StepsWithDecay) { follow_sgd({}); }
TEST(SgdStep, FollowsTheFormulaFor20StepsWithMomentum) {
  follow_sgd({.momentum = 0.9, .dampening = 0.2});
}
TEST(SgdStep, FollowsTheFormulaFor20StepsWithNesterov) {
  follow_sgd({.momentum = 0.9, .nesterov = true});
}
TEST(AdamStep, FollowsAdamWFor20Steps) { follow_adam({}); }
TEST(AdamStep, FollowsAdamWithCoupledDecayFor20Steps) { follow_adam({.decoupled = false}); }

TEST(BeginUpdate, LeavesEveryBitUntouchedWhenAGradientIsNotFinite) {
  for (const float bad : {kInf, -kInf, std::numeric_limits<float>::quiet_NaN()}) {
    Step step;
    step.begin();
    step.adam();
    const Values before = step.written();
    step.grads[1] = Tensor::from(std::vector<float>{1, bad}, {2});
    step.begin();
    step.adam();
    step.sgd({.momentum = 0.9});
    EXPECT_EQ(step.written(), before);
    const StepState state = step.read();
    EXPECT_EQ(state.found_inf, 1);
    EXPECT_EQ(state.first_nonfinite, 1);
    EXPECT_EQ(state.updates, 1u);
    EXPECT_EQ(state.skipped, 1u);
  }
}

TEST(BeginUpdate, AppliesAgainAfterASkippedStep) {
  Step step;
  step.grads[0] = Tensor::from(std::vector<float>{kInf, 1}, {2});
  step.begin();
  EXPECT_EQ(step.read().first_nonfinite, 0);
  step.grads[0] = Tensor::of({1, 1});
  step.begin();
  EXPECT_TRUE(step.read().applies());
  EXPECT_EQ(step.read().first_nonfinite, -1);
}

TEST(BeginUpdate, LeavesEveryBitUntouchedWhenTheLossIsNotFinite) {
  Step step;
  const Values before = step.written();
  step.begin({.loss = Tensor::of(static_cast<double>(kInf))});
  step.adam();
  EXPECT_EQ(step.written(), before);
  EXPECT_EQ(step.read().error, static_cast<std::uint32_t>(kStepNonfiniteLoss));
  EXPECT_EQ(step.read().skipped, 1u);
  step.begin({.loss = Tensor::of(2.0)});
  EXPECT_EQ(step.read().error, static_cast<std::uint32_t>(kStepOk));
}

TEST(BeginUpdate, SeesAnInfinityThatTheValueLimitWouldHide) {
  Step step;
  set_step_settings(step.state, settings(0.1, 0, kNone, 1));
  step.grads[0] = Tensor::from(std::vector<float>{kInf, 1}, {2});
  step.begin();
  EXPECT_EQ(step.read().found_inf, 1);
}

TEST(BeginUpdate, TakesLargeFiniteGradientsForFinite) {
  Step step;
  step.grads = {Tensor::of({1e4, -1e4}), Tensor::of({3e38, -3e38})};
  step.begin();
  EXPECT_TRUE(step.read().applies());
  // Their squares overflow.
  const Tensor large = Tensor::from(Values{1e200, -1e200}, {2});
  step.grads = {large, large};
  step.begin();
  EXPECT_TRUE(step.read().applies());
}

TEST(BeginUpdate, MeasuresTheNormOfUnscaledGradients) {
  Step step;
  step.grads = {Tensor::of({3 * 1024.0, 0}), Tensor::of({0, 4 * 1024.0})};
  step.begin({.scaler = make_loss_scaler(1024)});
  EXPECT_DOUBLE_EQ(step.read().grad_norm, 5);
}

TEST(BeginUpdate, CountsUpdatesOfActiveParametersAlone) {
  Step step;
  step.begin();
  step.grads[0] = Tensor();
  step.begin();
  EXPECT_EQ(step.updates.to_vector(), (Values{1, 2}));
  EXPECT_EQ(step.read().updates, 2u);
}

TEST(AdamStep, CorrectsTheBiasOfALateParameterByItsOwnUpdates) {
  Step step;
  const Tensor late = step.grads[0];
  step.grads[0] = Tensor();
  for (int k = 0; k < 10; ++k) {
    step.begin();
    step.adam();
  }
  step.grads[0] = late;
  step.begin();
  step.adam();
  Step fresh;
  fresh.begin();
  fresh.adam();
  EXPECT_EQ(step.params[0].to_vector(), fresh.params[0].to_vector());
}

TEST(AdamStep, GivesTheSameUpdateForScaledAndUnscaledGradients) {
  Step plain, scaled;
  for (Tensor& g : scaled.grads) g = Tensor::of({g.to_vector()[0] * 4096, g.to_vector()[1] * 4096});
  plain.begin();
  plain.adam();
  scaled.begin({.scaler = make_loss_scaler(4096)});
  scaled.adam();
  EXPECT_EQ(plain.written(), scaled.written());
}

TEST(AdamStep, TakesHalfParametersWithF32Gradients) {
  Step step;
  for (Tensor& p : step.params) p = cast(p, DType::bf16);
  const double before = step.params[0].to_vector()[0];
  step.begin();
  step.adam();
  EXPECT_EQ(step.params[0].dtype(), DType::bf16);
  EXPECT_NEAR(step.params[0].to_vector()[0], before - 0.1, 0.01);
}

TEST(StepSettings, ReplaceRatesAndKeepCounters) {
  Step step;
  step.begin();
  set_step_settings(step.state, settings(0.5, 0.25));
  const StepState state = step.read();
  EXPECT_EQ(state.settings.groups[0].lr, 0.5);
  EXPECT_EQ(state.settings.groups[0].weight_decay, 0.25);
  EXPECT_EQ(state.updates, 1u);
}

TEST(LossScaler, SharesItsScaleWithTheTensorThatMultipliesTheLoss) {
  Tensor scaler = make_loss_scaler(64);
  const Tensor scale = loss_scale_of(scaler);
  EXPECT_EQ(scale.item(), 64);
  Step step;
  step.grads[0] = Tensor::from(std::vector<float>{kInf, 1}, {2});
  step.begin({.scaler = scaler});
  update_loss_scale(scaler, std::span(&step.state, 1));
  EXPECT_EQ(scale.item(), 32);
  EXPECT_EQ(read_loss_scaler(scaler).backoffs, 1u);
}

TEST(LossScaler, RejectsAScaleThatIsNotPositiveAndFinite) {
  for (const double scale : {0.0, -1.0, 1e39}) {
    EXPECT_THROW(make_loss_scaler(scale), Error) << scale;
  }
}

TEST(OptimizerOps, NeverWaitForTheDevice) {
  install_sim();
  Step step;
  for (auto* list : {&step.params, &step.grads, &step.m, &step.v}) {
    for (Tensor& t : *list) t = t.to(kSim);
  }
  for (Tensor* t : {&step.state, &step.groups, &step.updates}) *t = t->to(kSim);
  Tensor scaler = make_loss_scaler(2, kSim);
  synchronize(kSim);
  const std::uint64_t waits = host_waits();
  set_step_settings(step.state, settings(0.2));
  step.begin({.scaler = scaler});
  step.adam();
  step.sgd();
  update_loss_scale(scaler, std::span(&step.state, 1));
  EXPECT_EQ(host_waits(), waits);
}

}  // namespace
}  // namespace weft::test
