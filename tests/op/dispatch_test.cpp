// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "op/recorder.h"
#include "tests/op/support.h"
#include "tests/sim/sim_device.h"
#include "tests/support/error_gallery.h"
#include "weft/op/node.h"
#include "weft/op/observer.h"

namespace weft::test {
namespace {

using testing::ElementsAre;

Settings settings_with(Determinism determinism) {
  Settings settings;
  settings.determinism = determinism;
  return settings;
}

/// Writes down what runs.
class Log final : public Observer {
 public:
  void before(const OpEvent& event) override {
    lines.push_back(cat(event.op.name(), "/",
                        event.row != nullptr ? event.row->variant : "composite", "@", event.depth));
  }
  std::vector<std::string> lines;
};

TEST(Dispatch, RunsTheFirstVariantThatApplies) {
  const Tensor x = floats({1, 2, 3});
  Log log;
  const ObserverScope scope(log);
  EXPECT_THAT(values_of(twice(x)), ElementsAre(2, 4, 6));
  const StorageRef storage = make_storage(64, Device());
  Tensor odd = Tensor::over(storage, 4, {2}, DType::f32);
  odd.mutable_data<float>()[0] = 1;
  odd.mutable_data<float>()[1] = 5;
  EXPECT_THAT(values_of(twice(odd)), ElementsAre(2, 10));
  EXPECT_THAT(log.lines, ElementsAre("twice/fast@0", "twice/plain@0"));
}

TEST(Dispatch, PinnedVariantRunsOrIsNamedInAnError) {
  const VariantPin plain("plain");
  Log log;
  const ObserverScope scope(log);
  twice(floats({1}));
  EXPECT_THAT(log.lines, ElementsAre("twice/plain@0"));
  const VariantPin absent("absent");
  expect_error([] { twice(floats({1})); }, ErrorKind::unsupported,
               "twice: variant `absent` does not exist or does not apply for f32 on cpu",
               "op/pinned");
}

TEST(Dispatch, OptionalOutputIsMadeOnlyWhenTheTapeSavesIt) {
  const Tensor x = floats({1, 2});
  EXPECT_FALSE(call_op(twice_op(), TwiceAttrs{}, {x})[1].defined());
  Tensor leaf = floats({1, 2});
  leaf.requires_grad_();
  EXPECT_TRUE(call_op(twice_op(), TwiceAttrs{}, {leaf})[1].defined());
}

TEST(Dispatch, CompositeRunsItsOpsOneLevelDeeper) {
  Log log;
  const ObserverScope scope(log);
  EXPECT_THAT(values_of(call_op(spread_op(), NoAttrs{}, {floats({3})})[0]), ElementsAre(12));
  EXPECT_THAT(log.lines, ElementsAre("spread/composite@0", "twice/fast@1", "twice/fast@1"));
}

TEST(Dispatch, ListsAndAbsentOptionalsReachTheKernel) {
  const Tensor a = floats({1}), b = floats({10}), c = floats({100});
  const std::vector<Tensor> rest = {b, c};
  const Tensor none;
  const NoAttrs attrs;
  EXPECT_THAT(values_of(call_op(join_op(), &attrs, {{&a, 1}, rest, {&none, 1}})[0]),
              ElementsAre(111));
  EXPECT_THAT(values_of(call_op(join_op(), &attrs, {{&a, 1}, {}, {&b, 1}})[0]), ElementsAre(11));
}

TEST(Dispatch, DestinationIsOverwrittenOrAddedTo) {
  Tensor target = floats({5});
  const Tensor a = floats({1});
  const Tensor none;
  const NoAttrs attrs;
  const Dest add{target, true};
  dispatch_lists(&join_op(), &attrs, {{&a, 1}, {}, {&none, 1}}, {.into = {&add, 1}});
  EXPECT_THAT(values_of(target), ElementsAre(6));
  const Dest set{target, false};
  dispatch_lists(&join_op(), &attrs, {{&a, 1}, {}, {&none, 1}}, {.into = {&set, 1}});
  EXPECT_THAT(values_of(target), ElementsAre(1));
  EXPECT_EQ(target.version(), 2u);
}

TEST(Dispatch, WritingInPlaceBumpsTheVersion) {
  Tensor target = floats({1, 2});
  const Tensor alias = target.detach();
  call_op(overwrite_op(), NoAttrs{}, {target, floats({3, 4})});
  EXPECT_THAT(values_of(alias), ElementsAre(3, 4));
  EXPECT_EQ(alias.version(), 1u);
}

TEST(Dispatch, NonDeterministicKernelIsRefusedWhenDemanded) {
  const VariantPin none(nullptr);
  const StorageRef storage = make_storage(64, Device());
  const Tensor odd = Tensor::over(storage, 4, {2}, DType::f32);
  const ContextScope scope(settings_with(Determinism::error));
  EXPECT_THAT(values_of(twice(floats({1}))), ElementsAre(2));
  expect_error(
      [&] { twice(odd); }, ErrorKind::unsupported,
      "twice: no deterministic kernel for f32 on cpu; use determinism: warn, or run it on the CPU",
      "op/determinism");
}

TEST(DispatchErrors, SayWhatIsWrong) {
  twice_op();  // before the test device looks for ops to copy
  install_sim();
  const Tensor x = floats({1, 2});
  const Tensor elsewhere = empty({2}, {.device = kSim});
  expect_error([] { twice(Tensor()); }, ErrorKind::value,
               "twice: x is an undefined tensor but is required", "op/missing input");
  expect_error(
      [&] { call_op(overwrite_op(), NoAttrs{}, {x, elsewhere}); }, ErrorKind::device,
      "overwrite: target is on cpu but x is on sim:0; move one of them, e.g. x.to(\"cpu\")",
      "op/devices");
  expect_error([] { twice(empty({2}, {.dtype = DType::f64})); }, ErrorKind::unsupported,
               "twice: no kernel for f64 on cpu; there are: cpu f32; sim f32; convert its inputs "
               "with .to(dtype)",
               "op/no kernel");
  expect_error([] { twice(empty({2}, {.dtype = DType::i32})); }, ErrorKind::dtype,
               "twice: x is i32[2] but must be floating; convert it with .to(DType::f32)",
               "op/dtype");
  expect_error([&] { call_op(overwrite_op(), NoAttrs{}, {x, floats({1})}); }, ErrorKind::shape,
               "overwrite: x is f32[1] but must be [2]: the shape of target", "op/shape");
  expect_error([&] { call_op(twice_op(), TwiceAttrs{}, {x, x}); }, ErrorKind::value,
               "twice: 2 inputs given but twice(x, *, factor: real = 2, keep: boolean = false) -> "
               "(y, kept?) "
               "takes 1",
               "op/input count");
  Tensor leaf = floats({1});
  leaf.requires_grad_();
  expect_error([&] { call_op(overwrite_op(), NoAttrs{}, {leaf, floats({1})}); }, ErrorKind::state,
               "overwrite: target requires grad and would be written in place; write it under a "
               "NoGrad scope, "
               "or write a detached copy",
               "op/in place");
}

TEST(Dispatch, CpuFallbackCopiesAndIsCounted) {
  install_sim();
  OpDef def = twice_op().def;
  def.name = "twice_on_cpu_only";
  def.cpu_fallback = true;
  OpEntry& op = add_op(def);
  op.kernels.add(DeviceKind::cpu, DType::f32,
                 twice_op().kernels.rows(DeviceKind::cpu, DType::f32)[1]);
  const Tensor x = Tensor::from(std::vector<float>{4}, {1}, kSim);
  const Tensor y = call_op(op, TwiceAttrs{}, {x})[0];
  EXPECT_EQ(y.device(), kSim);
  EXPECT_EQ(y.item(), 8.0);
  EXPECT_EQ(fallback_counts().at("twice_on_cpu_only"), 1u);
}

TEST(Tape, ChainOfAHundredThousandNodesIsTakenApartWithoutRecursion) {
  Tensor x = floats({1});
  x.requires_grad_();
  Tensor y = x;
  for (int i = 0; i < 100'000; ++i) y = twice(y, {.factor = 1});
  EXPECT_EQ(node_of(y.impl())->sequence, node_of(twice(y).impl())->sequence - 1);
  y = {};
}

TEST(Tape, NothingIsRecordedUnderNoGrad) {
  Tensor x = floats({1});
  x.requires_grad_();
  const NoGrad no_grad;
  EXPECT_FALSE(twice(x).requires_grad());
}

}  // namespace
}  // namespace weft::test
