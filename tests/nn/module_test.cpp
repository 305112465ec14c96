// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "weft/base/error.h"
#include "weft/core/context.h"
#include "weft/nn/activation.h"
#include "weft/nn/eval_scope.h"
#include "weft/nn/linear.h"
#include "weft/nn/norm.h"
#include "weft/nn/sequential.h"

namespace weft {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Net : public nn::Module {
  nn::Linear fc1 = child("fc1", nn::Linear(3, 4));
  nn::Linear fc2 = child("fc2", nn::Linear(4, 2));

 public:
  Tensor forward(const Tensor& x) override { return fc2(fc1(x)); }
};

std::vector<std::string> names_of(const nn::Module& module) {
  std::vector<std::string> out;
  for (const auto& entry : module.named_parameters()) out.push_back(entry.name);
  return out;
}

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

TEST(Module, ListsParametersByPathInOrderOfRegistration) {
  EXPECT_THAT(names_of(Net()), ElementsAre("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"));
}

TEST(Module, ListingNamesTheParameters) {
  const Net net;
  EXPECT_EQ(net.parameters()[2].name(), "fc2.weight");
}

TEST(Module, CopiesAndMovesShareOneState) {
  Net net;
  Net copy = net;
  Net moved = std::move(net);
  copy.eval();
  EXPECT_FALSE(moved.is_training());
  EXPECT_TRUE(moved.parameters()[0].same_as(copy.parameters()[0]));
  EXPECT_EQ(net.parameters().size(), 4u) << "a moved-from handle still works";  // NOLINT
}

TEST(Module, OutlivesTheScopeThatMadeIt) {
  const auto make = [] {
    Net net;
    return net;
  };
  Net net = make();
  EXPECT_EQ(net(Tensor::of({{1, 2, 3}})).shape(), (Shape{1, 2}));
}

class Block : public nn::Module {
  nn::Linear inner = child("inner", nn::Linear(2, 2));

 public:
  Tensor forward(const Tensor& x) override { return inner(x); }
};

class Nested : public nn::Module {
  Block first = child("first", Block());
  Block second = child("second", Block());

 public:
  Tensor forward(const Tensor& x) override { return second(first(x)); }
};

TEST(Module, RunsPartsUnderTheirPaths) {
  Nested net;
  std::vector<std::string> paths;
  const auto hook = net.before_forward(
      "*", [&](const nn::ForwardCall&) { paths.push_back(path_text(current_path())); });
  net(Tensor::of({{1, 2}}));
  EXPECT_THAT(paths, ElementsAre("", "first", "first.inner", "second", "second.inner"));
}

TEST(Module, HooksMatchByPatternAndEndWithTheirHandle) {
  Nested net;
  std::vector<std::string> seen;
  {
    const auto hook =
        net.on_forward("*.inner", [&](const nn::ForwardCall& call) { seen.push_back(call.path); });
    net(Tensor::of({{1, 2}}));
  }
  net(Tensor::of({{1, 2}}));
  EXPECT_THAT(seen, ElementsAre("first.inner", "second.inner"));
}

TEST(Module, AHookMayReplaceTheOutput) {
  Block net;
  const auto hook =
      net.on_forward("", [](const nn::ForwardCall& call) { call.output = Tensor::of({7, 8}); });
  EXPECT_THAT(net(Tensor::of({{1, 2}})).to_vector(), ElementsAre(7, 8));
}

TEST(Module, AHookWithoutAModuleIsAnErrorThatListsThem) {
  Nested net;
  const Error error = error_of([&] { (void)net.on_forward("encoder.*", {}); });
  EXPECT_EQ(error.kind(), ErrorKind::value);
  EXPECT_THAT(error.what(), HasSubstr("first.inner"));
}

class Tied : public nn::Module {
  nn::Embedding table = child("table", nn::Embedding(5, 3));
  nn::Linear head = child("head", nn::Linear(table.weight()));

 public:
  Tensor forward(const Tensor& x) override { return head(table(x)); }
};

TEST(Module, ListsATiedParameterOnceWithItsAlias) {
  const auto listed = Tied().named_parameters();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].name, "table.weight");
  EXPECT_THAT(listed[0].aliases, ElementsAre("head.weight"));
}

TEST(Module, CountsTiedParametersOnce) { EXPECT_EQ(Tied().parameter_count(), 15); }

TEST(Module, TrainingModeReachesAllParts) {
  nn::Dropout dropout;
  nn::Sequential net{dropout};
  net.eval();
  EXPECT_FALSE(dropout.is_training());
  net.train();
  EXPECT_TRUE(dropout.is_training());
}

TEST(Module, EvalScopeRestoresEachPartsMode) {
  nn::Dropout frozen;
  nn::Dropout other;
  nn::Sequential net(frozen, other);
  frozen.eval();
  {
    const nn::EvalScope scope(net);
    EXPECT_FALSE(other.is_training());
    EXPECT_FALSE(current_settings().grad);
  }
  EXPECT_FALSE(frozen.is_training());
  EXPECT_TRUE(other.is_training());
  EXPECT_TRUE(current_settings().grad);
}

TEST(Module, ConvertsParametersInPlaceForAllHandles) {
  nn::Linear linear(3, 2);
  const Parameter weight = linear.weight();
  const std::vector<double> before = weight.tensor().to_vector();
  nn::Sequential(linear).to(DType::f64);
  EXPECT_EQ(weight.dtype(), DType::f64);
  EXPECT_TRUE(weight.tensor().requires_grad());
  EXPECT_EQ(weight.tensor().to_vector(), before);
}

TEST(Module, KeepsRunningStatisticsInF32WhenParametersAreHalves) {
  nn::BatchNorm norm(4);
  norm.to(DType::bf16);
  EXPECT_EQ(norm.weight().dtype(), DType::bf16);
  EXPECT_EQ(norm.running_var().dtype(), DType::f32);
}

TEST(Module, RefusesNamesThatAreTakenOrHaveDots) {
  nn::Sequential net;
  net.add("a", nn::ReLU());
  EXPECT_THAT(error_of([&] { net.add("a", nn::ReLU()); }).what(), HasSubstr("called `a`"));
  EXPECT_THAT(error_of([&] { net.add("a.b", nn::ReLU()); }).what(), HasSubstr("without dots"));
}

TEST(Module, FreezesByPattern) {
  Net net;
  EXPECT_EQ(net.freeze("fc1.*"), 2);
  EXPECT_TRUE(net.parameters()[0].frozen());
  EXPECT_FALSE(net.parameters()[0].tensor().requires_grad());
  EXPECT_FALSE(net.parameters()[2].frozen());
  EXPECT_EQ(net.freeze("fc1.*", false), 2);
  EXPECT_TRUE(net.parameters()[0].tensor().requires_grad());
  EXPECT_EQ(error_of([&] { net.freeze("fc9.*"); }).kind(), ErrorKind::value);
}

TEST(Module, EverySetterBumpsTheRevision) {
  Net net;
  const auto bumps = [&](auto&& change) {
    const auto before = current_session().revision();
    change();
    return current_session().revision() > before;
  };
  EXPECT_TRUE(bumps([&] { net.eval(); }));
  EXPECT_FALSE(bumps([&] { net.eval(); })) << "nothing changed";
  EXPECT_TRUE(bumps([&] { net.freeze("fc1.weight"); }));
  EXPECT_TRUE(bumps([&] { net.to(DType::f64); }));
  EXPECT_TRUE(bumps([&] { net.load_state_dict(net.state_dict()); }));
  EXPECT_TRUE(bumps([&] { (void)net.on_forward("fc1", [](const nn::ForwardCall&) {}); }));
}

/// Runs one part as often as the input says, and another for negative sums.
class Branching : public nn::Module {
  nn::Linear step = child("step", nn::Linear(2, 2));
  nn::Linear other = child("other", nn::Linear(2, 2));

 public:
  Tensor forward(const Tensor& x) override {
    if (x.to_vector()[0] < 0) return other(x);
    Tensor y = x;
    for (int i = 0; i < static_cast<int>(x.to_vector()[0]); ++i) y = step(y);
    return y;
  }
};

TEST(Module, ForwardMayBranchOnValues) {
  Branching net;
  net(Tensor::of({{-1, 0}})).backward(Tensor::of({{1, 1}}));
  EXPECT_FALSE(net.parameters()[0].grad().defined());
  EXPECT_TRUE(net.parameters()[2].grad().defined());
}

TEST(Module, ForwardMayLoopAsOftenAsTheInputSays) {
  Branching net;
  int calls = 0;
  const auto hook = net.on_forward("step", [&](const nn::ForwardCall&) { ++calls; });
  net(Tensor::of({{3, 0}}));
  EXPECT_EQ(calls, 3);
  net(Tensor::of({{1, 0}}));
  EXPECT_EQ(calls, 4);
}

TEST(Module, SummaryShowsPathsShapesAndCounts) {
  Net net;
  const std::string text = net.summary(Tensor::of({{1, 2, 3}}));
  EXPECT_THAT(text, HasSubstr("fc1"));
  EXPECT_THAT(text, HasSubstr("Linear(3 -> 4)"));
  EXPECT_THAT(text, HasSubstr("[1,4]"));
  EXPECT_THAT(text, HasSubstr("26"));
  EXPECT_TRUE(net.is_training());
}

TEST(Module, WithoutForwardSaysSo) {
  class Empty : public nn::Module {
   public:
    Empty() : Module("Empty") {}
  };
  const Error error = error_of([] { Empty()(Tensor::of(1)); });
  EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  EXPECT_THAT(error.what(), HasSubstr("Empty"));
}

}  // namespace
}  // namespace weft
