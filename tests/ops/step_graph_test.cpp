// SPDX-License-Identifier: Apache-2.0
#include "weft/graph/step_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "weft/core/context.h"
#include "weft/op/observer.h"
#include "weft/op/recording.h"
#include "weft/ops/create.h"
#include "weft/ops/pointwise.h"
#include "weft/ops/reduce.h"

namespace weft::test {
namespace {

Tensor values(std::vector<float> v) {
  return Tensor::from(v, {static_cast<std::int64_t>(v.size())});
}

std::vector<Tensor> run(StepGraph& graph, const Tensor& x) { return graph({&x, 1}); }

StepGraph::Step doubled() {
  return [](std::span<const Tensor> in) { return std::vector<Tensor>{add(in[0], in[0])}; };
}

void warm_up(StepGraph& graph, const Tensor& x) {
  for (int i = 0; i < 5; ++i) run(graph, x);
}

TEST(StepGraph, ReplaysWithNewInputsAndFreshOutputs) {
  StepGraph graph(doubled());
  warm_up(graph, values({1, 2}));
  const Tensor first = run(graph, values({3, 4}))[0];
  const Tensor second = run(graph, values({5, 6}))[0];
  EXPECT_EQ(graph.report().reason, "");
  EXPECT_EQ(first.to_vector(), (std::vector<double>{6, 8}));
  EXPECT_EQ(second.to_vector(), (std::vector<double>{10, 12}));
}

TEST(StepGraph, FirstReplayIsComparedWithEager) {
  StepGraph graph(doubled());
  warm_up(graph, values({1, 2}));
  const StepGraphReport report = graph.report();
  EXPECT_EQ(report.eager, 3u);
  EXPECT_EQ(report.recorded, 1u);
  EXPECT_EQ(report.verified, 1u);
  EXPECT_EQ(report.replayed, 1u);
}

TEST(StepGraph, AnotherShapeRunsEagerlyAndIsRecordedBesideTheFirst) {
  StepGraph graph(doubled());
  warm_up(graph, values({1, 2}));
  EXPECT_EQ(run(graph, values({1, 2, 3}))[0].to_vector(), (std::vector<double>{2, 4, 6}));
  EXPECT_EQ(graph.report().reason, "the step has not yet run twice in the same way");
  warm_up(graph, values({1, 2, 3}));
  EXPECT_EQ(graph.report().reason, "");
  run(graph, values({1, 2}));
  EXPECT_EQ(graph.report().reason, "");
}

TEST(StepGraph, HostReadsKeepTheStepEager) {
  StepGraph graph([](std::span<const Tensor> in) {
    return std::vector<Tensor>{mul(in[0], sum(in[0]).item())};
  });
  warm_up(graph, values({1, 2}));
  EXPECT_EQ(graph.report().reason, "the host reads or makes f32[] within the step");
  EXPECT_EQ(run(graph, values({2, 2}))[0].to_vector(), (std::vector<double>{8, 8}));
}

TEST(StepGraph, TensorsMadeFromHostDataKeepTheStepEager) {
  StepGraph graph([](std::span<const Tensor> in) {
    return std::vector<Tensor>{add(in[0], Tensor::of({1, 2}))};
  });
  warm_up(graph, values({1, 2}));
  EXPECT_EQ(graph.report().replayed, 0u);
  EXPECT_THAT(graph.report().reason, testing::HasSubstr("within the step"));
}

TEST(StepGraph, AStepThatAlternatesIsNotRecordedWrongly) {
  int calls = 0;
  StepGraph graph([&](std::span<const Tensor> in) {
    return std::vector<Tensor>{++calls % 2 == 0 ? add(in[0], in[0]) : mul(in[0], in[0])};
  });
  for (int i = 1; i <= 10; ++i) {
    const double want = i % 2 == 0 ? 6 : 9;
    EXPECT_EQ(run(graph, values({3}))[0].item(), want);
  }
  EXPECT_EQ(graph.report().replayed, 0u);
}

TEST(StepGraph, ARevisionOfTheSessionForgetsRecordings) {
  StepGraph graph(doubled());
  warm_up(graph, values({1, 2}));
  current_session().bump_revision();
  run(graph, values({1, 2}));
  EXPECT_EQ(graph.report().reason, "the step has not yet run twice in the same way");
}

TEST(StepGraph, AnObserverSeesEveryStep) {
  struct Count final : Observer {
    void after(const OpEvent&) override { ++calls; }
    int calls = 0;
  } count;
  StepGraph graph(doubled());
  const ObserverScope scope(count);
  warm_up(graph, values({1, 2}));
  EXPECT_EQ(count.calls, 5);
  EXPECT_EQ(graph.report().reason, "an observer watches the session");
}

TEST(StepGraph, StateThatLivesOnIsUpdatedByReplays) {
  Tensor total = values({0, 0});
  StepGraph graph([&](std::span<const Tensor> in) {
    const NoGrad no_grad;
    total.copy_(add(total, in[0]));
    return std::vector<Tensor>{total};
  });
  const std::uint32_t before = total.version();
  for (int i = 0; i < 10; ++i) run(graph, values({1, 2}));
  EXPECT_EQ(graph.report().reason, "");
  EXPECT_EQ(total.to_vector(), (std::vector<double>{10, 20}));
  EXPECT_GE(total.version(), before + 10);
}

TEST(StepGraph, HostActionsRunBeforeEveryReplay) {
  int counted = 0;
  StepGraph graph([&](std::span<const Tensor> in) {
    host_action([&] { ++counted; });
    return std::vector<Tensor>{add(in[0], in[0])};
  });
  for (int i = 0; i < 9; ++i) run(graph, values({1}));
  EXPECT_EQ(counted, 9);
}

TEST(StepGraph, RandomDrawsGoOnInReplaysAsInEager) {
  const auto draws = [](bool captured) {
    const ContextScope scope(Context::make({}, 5));
    const auto step = [](std::span<const Tensor> in) {
      return std::vector<Tensor>{add(in[0], randn(in[0].shape()))};
    };
    StepGraph graph(step);
    const Tensor x = values({0, 0, 0});
    std::vector<double> seen;
    for (int i = 0; i < 9; ++i) {
      const Tensor y = captured ? graph({&x, 1})[0] : step({&x, 1})[0];
      for (const double v : y.to_vector()) seen.push_back(v);
    }
    EXPECT_EQ(captured, graph.report().replayed == 5);
    return seen;
  };
  EXPECT_EQ(draws(true), draws(false));
}

}  // namespace
}  // namespace weft::test
