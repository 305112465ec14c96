// SPDX-License-Identifier: Apache-2.0
#include "weft/optim/optimizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/sim/sim_device.h"
#include "weft/base/error.h"
#include "weft/core/backend.h"
#include "weft/core/context.h"
#include "weft/op/node.h"
#include "weft/ops/pointwise.h"
#include "weft/ops/reduce.h"
#include "weft/optim/loss_scaler.h"
#include "weft/optim/optimizers.h"

namespace weft::optim {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Parameter parameter(std::vector<float> values, const std::string& name) {
  const auto count = static_cast<std::int64_t>(values.size());
  Parameter out(Tensor::from(values, {count}));
  out.set_name(name);
  return out;
}

/// sum(p · slope), whose gradient is `slope` everywhere.
Tensor loss_of(const Parameter& p, double slope = 1) { return sum(p.tensor() * slope); }

std::vector<double> values(const Parameter& p) { return p.tensor().to_vector(); }

template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(ErrorKind::internal, "");
}

TEST(SGD, StepsAgainstTheGradient) {
  const Parameter p = parameter({1, 2}, "p");
  SGD sgd(std::vector{p}, {.lr = 0.5});
  loss_of(p, 3).backward();
  sgd.step();
  EXPECT_THAT(values(p), ElementsAre(-0.5, 0.5));
  EXPECT_EQ(sgd.read_step_state().updates, 1u);
  EXPECT_DOUBLE_EQ(sgd.read_step_state().grad_norm, std::sqrt(18.0));
}

// By hand: b1 = 1, p = -0.1; b2 = 0.9 + 1, p = -0.29.
TEST(SGD, MomentumAddsUp) {
  const Parameter p = parameter({0}, "p");
  SGD sgd(std::vector{p}, {.lr = 0.1, .momentum = 0.9});
  for (int i = 0; i < 2; ++i) {
    loss_of(p).backward();
    sgd.step();
    sgd.zero_grad();
  }
  EXPECT_THAT(values(p), ElementsAre(DoubleNear(-0.29, 1e-7)));
}

// By hand, b is the momentum sum: b1 = 1, p = -0.1 (1 + 0.9); b2 = 1.9, p -= 0.1 (1 + 0.9 * 1.9).
TEST(SGD, NesterovLooksAhead) {
  const Parameter p = parameter({0}, "p");
  SGD sgd(std::vector{p}, {.lr = 0.1, .momentum = 0.9, .nesterov = true});
  for (int i = 0; i < 2; ++i) {
    loss_of(p).backward();
    sgd.step();
    sgd.zero_grad();
  }
  EXPECT_THAT(values(p), ElementsAre(DoubleNear(-0.461, 1e-6)));
}

// The first Adam step has size lr whatever the gradient: m/(sqrt(v)) is 1 after bias correction.
TEST(AdamW, FirstStepIsTheLearningRateAfterDecoupledDecay) {
  const Parameter p = parameter({10}, "p");
  AdamW adamw(std::vector{p}, {.lr = 0.1, .weight_decay = 0.5});
  loss_of(p, 7).backward();
  adamw.step();
  EXPECT_THAT(values(p), ElementsAre(DoubleNear(10 - 0.1 * 0.5 * 10 - 0.1, 1e-6)));
}

TEST(Adam, DecayIsPartOfTheGradient) {
  const Parameter p = parameter({10}, "p");
  Adam adam(std::vector{p}, {.lr = 0.1, .weight_decay = 0.5});
  loss_of(p, 7).backward();
  adam.step();
  EXPECT_THAT(values(p), ElementsAre(DoubleNear(10 - 0.1, 1e-6)));
}

TEST(Optimizer, TheFirstGroupThatFitsDecides) {
  const Parameter weight = parameter({1}, "fc1.weight");
  const Parameter bias = parameter({1}, "fc1.bias");
  const Parameter other = parameter({1}, "fc2.bias");
  SGD sgd(std::vector{weight, bias, other},
          {.lr = 0.1,
           .groups = {{.params = {"fc1.bias"}, .lr = 0.5}, {.params = {"*.bias"}, .lr = 0.25}}});
  for (const Parameter& p : {weight, bias, other}) loss_of(p).backward();
  sgd.step();
  EXPECT_THAT(values(weight), ElementsAre(DoubleNear(0.9, 1e-7)));
  EXPECT_THAT(values(bias), ElementsAre(0.5));
  EXPECT_THAT(values(other), ElementsAre(0.75));
  EXPECT_EQ(sgd.lr(0), 0.5);
  EXPECT_EQ(sgd.lr(), 0.1);
}

TEST(Optimizer, AGlobThatFitsNothingIsAnErrorThatListsTheNames) {
  const Parameter p = parameter({1}, "fc1.weight");
  const Error error = error_of(
      [&] { SGD(std::vector{p}, {.lr = 0.1, .groups = {{.params = {"*.gamma"}, .lr = 1}}}); });
  EXPECT_EQ(error.kind(), ErrorKind::value);
  EXPECT_THAT(error.what(), HasSubstr("groups[0]: no parameter is called `*.gamma`"));
  EXPECT_THAT(error.what(), HasSubstr("fc1.weight"));
}

TEST(Optimizer, AFactorMultipliesEveryGroupsRate) {
  const Parameter a = parameter({0}, "a");
  const Parameter b = parameter({0}, "b");
  SGD sgd(std::vector{a, b}, {.lr = 1, .groups = {{.params = {"b"}, .lr = 10}}});
  sgd.set_lr_factor(0.5);
  loss_of(a).backward();
  loss_of(b).backward();
  sgd.step();
  EXPECT_THAT(values(a), ElementsAre(-0.5));
  EXPECT_THAT(values(b), ElementsAre(-5));
  sgd.set_lr(2);
  EXPECT_EQ(sgd.lr(), 1) << "the factor stays";
  EXPECT_EQ(sgd.lr(0), 5) << "a group's own rate stays";
}

TEST(Optimizer, ATiedParameterIsUpdatedOnce) {
  const Parameter p = parameter({1}, "p");
  SGD sgd(std::vector{p, p}, {.lr = 1});
  EXPECT_EQ(sgd.parameters().size(), 1u);
  loss_of(p).backward();
  sgd.step();
  EXPECT_THAT(values(p), ElementsAre(0));
}

TEST(Optimizer, FrozenAndUnusedParametersStay) {
  Parameter frozen = parameter({1}, "frozen");
  const Parameter unused = parameter({2}, "unused");
  const Parameter used = parameter({3}, "used");
  AdamW adamw(std::vector{frozen, unused, used}, {.lr = 0.1, .weight_decay = 0.5});
  frozen.freeze();
  (loss_of(used) + loss_of(frozen)).backward();
  adamw.step();
  EXPECT_THAT(values(frozen), ElementsAre(1));
  EXPECT_THAT(values(unused), ElementsAre(2)) << "not even decay";
  EXPECT_NE(values(used)[0], 3);
}

TEST(Optimizer, AnEmptiedGradientIsNotUsedAgain) {
  const Parameter p = parameter({0}, "p");
  const Parameter q = parameter({0}, "q");
  SGD sgd(std::vector{p, q}, {.lr = 1});
  (loss_of(p) + loss_of(q)).backward();
  sgd.step();
  sgd.zero_grad();
  loss_of(q).backward();
  sgd.step();
  EXPECT_THAT(values(p), ElementsAre(-1));
  EXPECT_THAT(values(q), ElementsAre(-2));
}

TEST(Optimizer, ClipsTheGlobalNorm) {
  const Parameter a = parameter({0}, "a");
  const Parameter b = parameter({0}, "b");
  SGD sgd(std::vector{a, b}, {.lr = 1});
  sgd.clip_grad_norm(1);
  (loss_of(a, 3) + loss_of(b, 4)).backward();
  sgd.step();
  EXPECT_THAT(values(a), ElementsAre(DoubleNear(-0.6, 1e-6)));
  EXPECT_THAT(values(b), ElementsAre(DoubleNear(-0.8, 1e-6)));
  EXPECT_DOUBLE_EQ(sgd.read_step_state().grad_norm, 5) << "as it was before clipping";
}

TEST(Optimizer, ClipsValues) {
  const Parameter p = parameter({0}, "p");
  SGD sgd(std::vector{p}, {.lr = 1});
  sgd.clip_grad_value(2);
  loss_of(p, -5).backward();
  sgd.step();
  EXPECT_THAT(values(p), ElementsAre(2));
}

TEST(Optimizer, ANonFiniteLossOrGradientLeavesEverythingAsItWas) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const bool in_loss : {false, true}) {
    const Parameter p = parameter({1}, "p");
    AdamW adamw(std::vector{p}, {.lr = 0.1});
    loss_of(p).backward();
    adamw.step();
    const auto before = adamw.state_dict();
    std::vector<std::vector<double>> kept;
    for (const auto& [name, value] : before) kept.push_back(value.to_vector());
    const auto weights = values(p);
    adamw.zero_grad();
    loss_of(p, in_loss ? 1 : inf).backward();
    adamw.step(in_loss ? Tensor::of(std::nan("")) : Tensor());
    EXPECT_EQ(values(p), weights);
    EXPECT_EQ(before[2].second.to_vector(), kept[2]) << before[2].first;
    EXPECT_EQ(adamw.read_step_state().skipped, 1u);
    EXPECT_EQ(adamw.read_step_state().first_nonfinite, in_loss ? -1 : 0);
  }
}

TEST(Optimizer, AStepWithoutAnyGradientIsAnError) {
  const Parameter p = parameter({1}, "p");
  SGD sgd(std::vector{p}, {.lr = 0.1});
  const Error error = error_of([&] { sgd.step(); });
  EXPECT_EQ(error.kind(), ErrorKind::state);
  EXPECT_THAT(error.what(), HasSubstr("call loss.backward() first"));
}

TEST(Optimizer, RefusesToStepAfterAFailedBackwardUntilZeroGrad) {
  const Parameter p = parameter({1}, "fc1.weight");
  SGD sgd(std::vector{p}, {.lr = 0.1});
  loss_of(p).backward();
  leaf_of(p.tensor()).incomplete = true;
  const Error error = error_of([&] { sgd.step(); });
  EXPECT_EQ(error.kind(), ErrorKind::state);
  EXPECT_THAT(error.what(), HasSubstr("gradient of `fc1.weight` is incomplete"));
  sgd.zero_grad();
  loss_of(p).backward();
  sgd.step();
  EXPECT_NE(values(p)[0], 1);
}

TEST(Optimizer, GradientsAddUpUntilZeroGrad) {
  const Parameter p = parameter({0}, "p");
  SGD sgd(std::vector{p}, {.lr = 1});
  loss_of(p, 1).backward();
  loss_of(p, 2).backward();
  sgd.step();
  sgd.zero_grad();
  EXPECT_THAT(values(p), ElementsAre(-3));
  loss_of(p, 1).backward();
  sgd.step();
  EXPECT_THAT(values(p), ElementsAre(-4));
}

TEST(Optimizer, UpdatesParametersOfF64) {
  Parameter p = parameter({0}, "p");
  p.to(DType::f64);
  SGD sgd(std::vector{p}, {.lr = 1});
  loss_of(p).backward();
  sgd.step();
  EXPECT_THAT(values(p), ElementsAre(-1));
}

TEST(Optimizer, HalfParametersKeepF32State) {
  Parameter p = parameter({1}, "p");
  p.to(DType::bf16);
  AdamW adamw(std::vector{p}, {.lr = 0.25, .weight_decay = 0});
  loss_of(p).backward();
  adamw.step();
  EXPECT_THAT(values(p), ElementsAre(0.75));
  for (const auto& [name, value] : adamw.state_dict()) {
    if (!name.starts_with("exp_avg")) continue;
    EXPECT_EQ(value.dtype(), DType::f32) << name;
  }
}

TEST(Optimizer, RefusesAModelThatMovedToAnotherDevice) {
  test::install_sim();
  Parameter p = parameter({1}, "p");
  SGD sgd(std::vector{p}, {.lr = 1});
  p.to(test::kSim);
  loss_of(p).backward();
  const Error error = error_of([&] { sgd.step(); });
  EXPECT_EQ(error.kind(), ErrorKind::state);
  EXPECT_THAT(error.what(), HasSubstr("`p` moved to sim:0 but the optimizer's state is on cpu"));
  EXPECT_THAT(error_of([&] { SGD(std::vector{p, parameter({1}, "q")}, {.lr = 1}); }).what(),
              HasSubstr("`p` is on sim:0 but `q` is on cpu"));
}

TEST(Optimizer, StepsOnADeviceWithoutWaitingForIt) {
  test::install_sim();
  Parameter p = parameter({0}, "p");
  p.to(test::kSim);
  SGD sgd(std::vector{p}, {.lr = 1});
  const std::uint64_t waits = host_waits();
  for (const double lr : {1.0, 10.0, 100.0}) {
    sgd.set_lr(lr);
    loss_of(p).backward();
    sgd.step();
    sgd.zero_grad();
  }
  EXPECT_EQ(host_waits(), waits);
  EXPECT_THAT(values(p), ElementsAre(-111)) << "each step used the rate that was sent with it";
}

TEST(Optimizer, RefusesValuesOutOfRange) {
  const std::vector p{parameter({0}, "p")};
  EXPECT_THROW(SGD(p, {.lr = -1}), Error);
  EXPECT_THROW(SGD(p, {.lr = 1, .momentum = 1}), Error);
  EXPECT_THROW(SGD(p, {.lr = 1, .nesterov = true}), Error);
  EXPECT_THROW(AdamW(p, {.lr = 1, .betas = {0.9, 1}}), Error);
  EXPECT_THROW(AdamW(std::vector<Parameter>{}, {.lr = 1}), Error);
  SGD sgd(p, {.lr = 1});
  EXPECT_THROW(sgd.clip_grad_norm(0), Error);
  EXPECT_THROW(sgd.set_lr(std::nan("")), Error);
}

TEST(Optimizer, TwoStepsSentInARowUseTheirOwnRates) {
  const Parameter p = parameter({0}, "p");
  SGD sgd(std::vector{p}, {.lr = 1});
  for (const double lr : {1.0, 10.0}) {
    sgd.set_lr(lr);
    loss_of(p).backward();
    sgd.step();
    sgd.zero_grad();
  }
  EXPECT_THAT(values(p), ElementsAre(-11));
  EXPECT_EQ(sgd.iterations(), 2u);
}

TEST(LossScaler, GradientsAreUnscaledAndTheScaleReactsToOverflow) {
  const Parameter p = parameter({0}, "p");
  SGD sgd(std::vector{p}, {.lr = 1});
  LossScaler scaler({.init = 8, .growth = 2, .backoff = 0.5, .interval = 1});
  const auto step = [&](double slope) {
    const Tensor loss = loss_of(p, slope);
    scaler.scale(loss).backward();
    sgd.step(loss, scaler);
    scaler.update({sgd});
    sgd.zero_grad();
  };
  step(3);
  EXPECT_THAT(values(p), ElementsAre(-3));
  EXPECT_EQ(scaler.read().scale, 16);
  step(1e38);
  EXPECT_THAT(values(p), ElementsAre(-3)) << "the scaled gradient overflowed";
  EXPECT_EQ(scaler.read().scale, 8);
  EXPECT_THROW(LossScaler({.growth = 1}), Error);
}

TEST(OptimizerRegistry, MakesEveryOptimizerFromItsOptions) {
  const std::vector p{parameter({1}, "p")};
  for (const std::string& name : optimizer_registry().names()) {
    const auto& entry = optimizer_registry().at(name);
    const auto options = OptionValues::parse(entry.options, {{{"lr", "0.1"}}}, name);
    const Optimizer optimizer = entry.make(p, options, {});
    EXPECT_EQ(optimizer.name(), name);
    EXPECT_EQ(optimizer.lr(), 0.1);
    EXPECT_FALSE(entry.doc.empty());
  }
  EXPECT_THAT(error_of([] { optimizer_registry().at("adamv"); }).what(), HasSubstr("adam"));
}

}  // namespace
}  // namespace weft::optim
