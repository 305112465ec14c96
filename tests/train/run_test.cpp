// SPDX-License-Identifier: Apache-2.0
#include "weft/train/run.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/sim/sim_device.h"
#include "weft/core/memory.h"
#include "weft/op/observer.h"
#include "weft/ops/create.h"
#include "weft/ops/pointwise.h"

namespace weft::test {
namespace {

struct Count final : Observer {
  void after(const OpEvent&) override { ++calls; }
  int calls = 0;
};

TEST(Run, StartsCleanEveryTime) {
  Count outside;
  const ObserverScope scope(outside);
  std::vector<double> draws[2];
  for (auto& values : draws) {
    run({.seed = 3}, [&] { values = randn({4}).to_vector(); });
  }
  EXPECT_EQ(draws[0], draws[1]);
  EXPECT_EQ(outside.calls, 0);
}

TEST(Run, UsesItsSettingsAndGivesTheCallersBack) {
  install_sim();
  Settings settings;
  settings.device = kSim;
  settings.dtype = DType::f64;
  run({.settings = settings}, [] {
    EXPECT_EQ(zeros({1}).device(), kSim);
    EXPECT_EQ(zeros({1}).dtype(), DType::f64);
  });
  EXPECT_EQ(zeros({1}).device(), Device());
  EXPECT_EQ(zeros({1}).dtype(), DType::f32);
  EXPECT_THROW(run({.settings = settings}, [] { throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_EQ(current_settings().device, Device());
}

TEST(Run, MemoryPeaksStartFromWhatIsLive) {
  {
    const Tensor large = empty({1 << 22});
  }
  std::size_t peak = 0;
  run({}, [&] { peak = memory::report().peak; });
  EXPECT_LT(peak, std::size_t{1} << 24);
}

TEST(Run, RunsAnyFunction) {
  double result = 0;
  run({}, [&] { result = add(Tensor::of(2), Tensor::of(3)).item(); });
  EXPECT_EQ(result, 5);
}

}  // namespace
}  // namespace weft::test
