// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <thread>

#include "tests/sim/sim_device.h"
#include "weft/amp/autocast.h"
#include "weft/autograd/autograd.h"
#include "weft/core/memory.h"
#include "weft/core/threads.h"
#include "weft/graph/step_graph.h"
#include "weft/nn/activation.h"
#include "weft/nn/conv.h"
#include "weft/nn/linear.h"
#include "weft/nn/norm.h"
#include "weft/ops/loss.h"
#include "weft/ops/pointwise.h"
#include "weft/optim/loss_scaler.h"
#include "weft/optim/optimizers.h"

// The vertical proof: one network that uses every contract at once trains to the same bits on the
// CPU, on the test device and as a replayed step, whatever the number of threads.
namespace weft::test {
namespace {

constexpr int kRows = 6;
constexpr int kClasses = 4;

class ProofNet : public nn::Module {
 public:
  nn::Conv2d conv = child("conv", nn::Conv2d(3, 8, {.kernel = {3, 3}, .padding = {1, 1}}));
  nn::LayerNorm norm = child("norm", nn::LayerNorm(8));
  nn::Flatten flatten = child("flatten", nn::Flatten());
  nn::Linear fc1 = child("fc1", nn::Linear(8 * 5 * 4, 16));
  nn::Linear frozen = child("frozen", nn::Linear(16, 16));
  nn::Dropout dropout = child("dropout", nn::Dropout(0.25));
  nn::Linear fc2 = child("fc2", nn::Linear(16, 16));
  nn::Linear tied = child("tied", nn::Linear(fc2.weight()));
  nn::Linear head = child("head", nn::Linear(16, kClasses));

  ProofNet() : nn::Module("ProofNet") { freeze("frozen.*"); }

  Tensor forward(const Tensor& x) override {
    Tensor h = relu(norm(conv(x)));
    h = relu(fc1(flatten(h)));
    h = frozen(h);
    const auto block = [this](std::span<const Tensor> in) {
      return std::vector<Tensor>{relu(tied(dropout(relu(fc2(in[0])))))};
    };
    return head(checkpoint(block, {&h, 1})[0]);
  }
};

/// Batch `k`, made on the host.
std::vector<Tensor> batch(int k, Device device) {
  std::vector<float> x(kRows * 5 * 4 * 3);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i) + k));
  }
  std::vector<std::int64_t> y(kRows);
  for (int i = 0; i < kRows; ++i) y[static_cast<std::size_t>(i)] = (i * 3 + k) % kClasses;
  return {Tensor::from(x, {kRows, 5, 4, 3}, device), Tensor::from(y, {kRows}, device)};
}

struct Outcome {
  std::vector<Tensor> state;  ///< on the host: parameters, losses, optimizer states, scaler
  StepGraphReport report;
  SimCounters quiet;  ///< what the last steps cost the test device
  std::uint64_t system_allocations = 0;
};

struct Plan {
  Device device = {};
  bool captured = false;
  int steps = 12;
  std::uint64_t seed = 7;
};

std::vector<Tensor> names_apart(const StateDict& dict) {
  std::vector<Tensor> tensors;
  for (const auto& [name, tensor] : dict) tensors.push_back(tensor.to(Device()));
  return tensors;
}

class Training {
 public:
  explicit Training(const Plan& plan)
      : plan_(plan), scope_(Context::make({.device = plan.device}, plan.seed)), net_(make_net()) {
    const std::vector<Parameter> all = net_.parameters();
    std::vector<Parameter> body;
    for (const Parameter& p : all) {
      if (!p.same_as(net_.head.weight()) && !p.same_as(net_.head.bias())) body.push_back(p);
    }
    adamw_ = std::make_unique<optim::AdamW>(
        body, optim::AdamWOptions{.lr = 3e-3,
                                  .groups = {{.params = {"*.bias", "norm.*"}, .weight_decay = 0}}});
    adamw_->clip_grad_norm(1.0);
    const std::vector<Parameter> head = {net_.head.weight(), net_.head.bias()};
    sgd_ = std::make_unique<optim::SGD>(head, optim::SGDOptions{.lr = 0.05, .momentum = 0.9});
    scaler_ = std::make_unique<optim::LossScaler>(
        optim::LossScalerOptions{.init = 1 << 20, .interval = 4}, plan.device);
  }

  Outcome train() {
    Outcome outcome;
    StepGraph graph([this](std::span<const Tensor> in) { return step(in); });
    std::vector<std::vector<Tensor>> batches;
    for (int k = 0; k < 2 * plan_.steps; ++k) batches.push_back(batch(k, plan_.device));
    SimCounters before;
    std::uint64_t allocations = 0;
    for (int i = 0; i < plan_.steps; ++i) {
      if (i == plan_.steps - 4) {
        before = sim_counters();
        allocations = memory::report(plan_.device).system_allocations;
      }
      const auto at = static_cast<std::size_t>(2 * i);
      std::vector<Tensor> in = batches[at];
      in.insert(in.end(), batches[at + 1].begin(), batches[at + 1].end());
      adamw_->set_lr_factor(1.0 / (1.0 + 0.1 * i));
      outcome.state.push_back(plan_.captured ? graph(in)[0] : step(in)[0].detach());
    }
    const SimCounters after = sim_counters();
    outcome.quiet = {.launches = after.launches - before.launches,
                     .waits = after.waits - before.waits,
                     .allocations = after.allocations - before.allocations,
                     .replays = after.replays - before.replays};
    outcome.system_allocations = memory::report(plan_.device).system_allocations - allocations;
    outcome.report = graph.report();
    for (Tensor& loss : outcome.state) loss = loss.to(Device());
    for (const StateDict& dict : {net_.state_dict(), adamw_->state_dict(), sgd_->state_dict()}) {
      for (Tensor& tensor : names_apart(dict)) outcome.state.push_back(std::move(tensor));
    }
    outcome.state.push_back(scaler_->tensor().to(Device()));
    return outcome;
  }

  const optim::AdamW& adamw() const { return *adamw_; }
  const optim::LossScaler& scaler() const { return *scaler_; }

 private:
  ProofNet make_net() const {
    ProofNet net;
    net.parameters();
    return net;
  }

  Tensor loss_of(const Tensor& x, const Tensor& y) {
    const Autocast autocast(DType::f16);
    return cross_entropy(net_(x), y, {.label_smoothing = 0.1});
  }

  std::vector<Tensor> step(std::span<const Tensor> in) {
    const Tensor first = loss_of(in[0], in[1]);
    scaler_->scale(first).backward();
    const Tensor second = loss_of(in[2], in[3]);
    scaler_->scale(second).backward();
    adamw_->step(second, *scaler_);
    sgd_->step(second, *scaler_);
    scaler_->update({*adamw_, *sgd_});
    adamw_->zero_grad();
    sgd_->zero_grad();
    return {second};
  }

  Plan plan_;
  ContextScope scope_;
  ProofNet net_;
  std::unique_ptr<optim::AdamW> adamw_;
  std::unique_ptr<optim::SGD> sgd_;
  std::unique_ptr<optim::LossScaler> scaler_;
};

Outcome train(const Plan& plan) { return Training(plan).train(); }

void expect_same(const Outcome& got, const Outcome& want) {
  ASSERT_EQ(got.state.size(), want.state.size());
  for (std::size_t i = 0; i < got.state.size(); ++i) {
    const Tensor& a = got.state[i];
    const Tensor& b = want.state[i];
    ASSERT_EQ(a.nbytes(), b.nbytes()) << "tensor " << i;
    EXPECT_EQ(std::memcmp(a.impl()->data, b.impl()->data, a.nbytes()), 0)
        << "tensor " << i << ": " << to_string(a) << " differs from " << to_string(b);
  }
}

class VerticalProof : public testing::Test {
 protected:
  void SetUp() override { install_sim(); }
  void TearDown() override {
    set_sim_capture(false);
    set_num_threads(0);
  }
};

TEST_F(VerticalProof, LearnsAndScalesTheLoss) {
  Training run({.steps = 40});
  const Outcome outcome = run.train();
  EXPECT_LT(outcome.state[39].item(), outcome.state[0].item());
  const LossScalerState scaler = run.scaler().read();
  EXPECT_GT(scaler.backoffs, 0u)
      << "2^20 overflows f16 gradients, so some step must have been skipped";
  EXPECT_GT(scaler.growths, 0u);
  const StepState state = run.adamw().read_step_state();
  EXPECT_EQ(state.updates + state.skipped, 40u);
  EXPECT_GT(state.skipped, 0u);
}

TEST_F(VerticalProof, RepeatsBitForBitForAnyThreadCount) {
  set_num_threads(1);
  const Outcome want = train({});
  for (const int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    expect_same(train({}), want);
  }
}

TEST_F(VerticalProof, CapturedEqualsEagerOnTheCpu) {
  const Outcome want = train({});
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    const Outcome captured = train({.captured = true});
    expect_same(captured, want);
    EXPECT_EQ(captured.report.reason, "");
    EXPECT_GE(captured.report.replayed, 4u);
    EXPECT_EQ(captured.report.verified, 1u);
    EXPECT_LT(captured.report.planned_bytes, captured.report.unplanned_bytes);
  }
}

TEST_F(VerticalProof, TestDeviceEqualsCpuWithoutWaitingOrAllocating) {
  const Outcome want = train({});
  const Outcome sim = train({.device = kSim});
  expect_same(sim, want);
  EXPECT_EQ(sim.quiet.waits, 0u);
  EXPECT_EQ(sim.quiet.allocations, 0u);
  EXPECT_EQ(sim.system_allocations, 0u);
}

TEST_F(VerticalProof, CapturedOnTheTestDeviceEqualsCpu) {
  const Outcome want = train({});
  for (const bool stream_capture : {false, true}) {
    set_sim_capture(stream_capture);
    const Outcome sim = train({.device = kSim, .captured = true});
    expect_same(sim, want);
    EXPECT_EQ(sim.report.reason, "");
    EXPECT_EQ(sim.quiet.waits, 0u);
    EXPECT_EQ(sim.quiet.allocations, 0u);
    EXPECT_EQ(sim.quiet.replays, stream_capture ? 4u : 0u);
  }
}

TEST_F(VerticalProof, TwoContextsRunSideBySide) {
  const Outcome want_a = train({.seed = 1});
  const Outcome want_b = train({.captured = true, .seed = 2});
  Outcome a;
  Outcome b;
  std::thread first([&] { a = train({.seed = 1}); });
  std::thread second([&] { b = train({.captured = true, .seed = 2}); });
  first.join();
  second.join();
  expect_same(a, want_a);
  expect_same(b, want_b);
}

}  // namespace
}  // namespace weft::test
