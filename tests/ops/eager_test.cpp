// SPDX-License-Identifier: Apache-2.0
// Ops run when they are called, and are ordinary functions.
#include <gtest/gtest.h>

#include <functional>
#include <numeric>

#include "tests/sim/sim_device.h"
#include "weft/core/context.h"
#include "weft/op/observer.h"
#include "weft/ops/create.h"
#include "weft/ops/pointwise.h"
#include "weft/ops/reduce.h"

namespace weft::test {
namespace {

TEST(Eager, ResultsAreThereWhenTheCallReturns) {
  Tensor x = Tensor::of({1, 2});
  const Tensor y = x * 3.0;
  x.fill_(100);
  EXPECT_EQ(y.to_vector(), (std::vector<double>{3, 6}));
}

TEST(Eager, WritesAreSeenByEveryHandleAtOnce) {
  Tensor x = Tensor::of({{1, 2}, {3, 4}});
  const Tensor same = x;
  const Tensor row = x.slice(1, 2);
  x.fill_(7);
  EXPECT_EQ(same.to_vector(), std::vector<double>(4, 7));
  EXPECT_EQ(row.to_vector(), std::vector<double>(2, 7));
}

TEST(Eager, OpsAreOrdinaryFunctions) {
  const std::vector<Tensor> parts = {Tensor::of(1), Tensor::of(2), Tensor::of(3)};
  Tensor (*const plus)(const Tensor&, const Tensor&) = add;
  EXPECT_EQ(std::accumulate(parts.begin(), parts.end(), Tensor::of(0), plus).item(), 6);
  const std::function<Tensor(const Tensor&)> square = [](const Tensor& x) { return x * x; };
  EXPECT_EQ(square(Tensor::of(4)).item(), 16);
}

TEST(Eager, LoopsRunAsOftenAsValuesSay) {
  Tensor x = Tensor::of(1);
  int doublings = 0;
  for (; x.item() < 100; ++doublings) x = x * 2.0;
  EXPECT_EQ(doublings, 7);
}

TEST(Eager, ShapesFollowTheInputsOfEachCall) {
  for (const std::int64_t rows : {1, 5, 2}) {
    EXPECT_EQ(add(zeros({rows, 3}), zeros({3})).shape(), Shape({rows, 3}));
  }
}

TEST(Batch, EveryRowGivesWhatItGivesAlone) {
  const Tensor batch = Tensor::of({{1, -2, 3}, {-4, 5, 0.5}, {7, 8, -9}});
  const Tensor weight = Tensor::of({2, 3, 4});
  const Tensor all = sum(relu(batch * weight + 1.0), {.dim = 1});
  ASSERT_EQ(all.shape(), Shape({3}));
  for (std::int64_t i = 0; i < 3; ++i) {
    const Tensor alone = sum(relu(batch.slice(i, i + 1) * weight + 1.0), {.dim = 1});
    EXPECT_EQ(alone.item(), all.slice(i, i + 1).item()) << "row " << i;
  }
}

TEST(Batch, SizesThatDifferAreRefused) {
  try {
    add(zeros({4, 3}), zeros({5, 3}));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(),
              "add: shapes [4,3] and [5,3] do not broadcast: dimension -2 is 4 and 5; they must be "
              "equal or 1");
  }
}

TEST(Devices, TensorsMoveThereAndBack) {
  install_sim();
  const Tensor x = Tensor::of({1, 2, 3});
  const Tensor there = x.to(kSim);
  EXPECT_EQ(there.device(), kSim);
  const Tensor back = there.to(Device());
  EXPECT_EQ(back.device(), Device());
  EXPECT_EQ(back.to_vector(), x.to_vector());
  EXPECT_TRUE(x.to(Device()).same_as(x));
}

TEST(Devices, CopiesThereAreQueuedAndCopiesBackWait) {
  install_sim();
  const Tensor x = Tensor::of({1, 2, 3});
  const std::uint64_t waits = host_waits();
  const Tensor there = x.to(kSim);
  const Tensor twice = there * 2.0;
  EXPECT_EQ(host_waits(), waits) << "copies to a device are asynchronous";
  const Tensor back = twice.to(Device());
  EXPECT_EQ(host_waits(), waits + 1) << "the host reads only what is done";
  EXPECT_EQ(back.to_vector(), (std::vector<double>{2, 4, 6}));
}

TEST(Devices, GradientsFlowThroughAMove) {
  install_sim();
  const Tensor x = Tensor::of({1, 2}, {.requires_grad = true});
  sum(x.to(kSim) * 3.0).backward();
  EXPECT_EQ(x.grad().device(), Device());
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{3, 3}));
}

TEST(Devices, TheDefaultIsScoped) {
  install_sim();
  {
    Settings settings = current_settings();
    settings.device = kSim;
    const ContextScope scope(settings);
    EXPECT_EQ(zeros({2}).device(), kSim);
    EXPECT_EQ(zeros({2}, {.device = Device()}).device(), Device());
  }
  EXPECT_EQ(zeros({2}).device(), Device());
}

}  // namespace
}  // namespace weft::test
