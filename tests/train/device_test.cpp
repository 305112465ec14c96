// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/sim/sim_device.h"
#include "weft/core/backend.h"
#include "weft/core/context.h"
#include "weft/metric/classification.h"
#include "weft/nn/activation.h"
#include "weft/nn/linear.h"
#include "weft/nn/norm.h"
#include "weft/nn/sequential.h"
#include "weft/optim/optimizers.h"
#include "weft/train/trainer.h"

namespace weft {
namespace {

data::TensorDataset samples(std::int64_t count) {
  std::vector<float> x;
  std::vector<std::int64_t> y;
  for (std::int64_t i = 0; i < count; ++i) {
    for (int k = 0; k < 3; ++k) x.push_back(static_cast<float>((i * (k + 3)) % 7) - 3);
    y.push_back((i * 3) % 2);
  }
  return data::TensorDataset(Tensor::from(x, {count, 3}), Tensor::from(y, {count}));
}

/// How often the host had waited when each step began.
struct WaitLog : TrainCallback {
  std::vector<std::uint64_t> waits;
  void before_step(std::int64_t, std::int64_t) override { waits.push_back(host_waits()); }
};

struct Outcome {
  NamedValues values;
  std::vector<std::vector<double>> weights;
  std::vector<std::uint64_t> waits;
};

Outcome train_on(Device device) {
  const ContextScope scope(Context::make({}, 4));
  nn::Sequential net(nn::Linear(3, 8), nn::LayerNorm(8), nn::GELU(), nn::Dropout(0.2),
                     nn::Linear(8, 2));
  net.to(device);
  Trainer trainer(net, loss::CrossEntropy(), optim::AdamW(net.parameters(), {.lr = 0.01}),
                  {.epochs = 2, .clip_grad_norm = 1.0});
  trainer.metrics({std::make_shared<metric::Accuracy>()});
  const auto log = std::make_shared<WaitLog>();
  trainer.add(log);
  data::DataLoader train(samples(40), {.batch_size = 8, .shuffle = true, .prefetch = 0, .seed = 2});
  data::DataLoader val(samples(12), {.batch_size = 5, .shuffle = false, .prefetch = 0});
  Outcome out;
  out.values = trainer.fit(train, &val).last_values;
  for (const auto& [name, value] : net.state_dict()) out.weights.push_back(value.to_vector());
  out.waits = log->waits;
  return out;
}

TEST(TrainerOnADevice, GivesTheSameBitsAsOnTheCpu) {
  test::install_sim();
  const Outcome cpu = train_on(Device());
  const Outcome sim = train_on(test::kSim);
  EXPECT_EQ(cpu.weights, sim.weights);
  EXPECT_EQ(cpu.values, sim.values);
}

TEST(TrainerOnADevice, DoesNotWaitForItWithinAnEpoch) {
  test::install_sim();
  const Outcome sim = train_on(test::kSim);
  ASSERT_EQ(sim.waits.size(), 10u);
  EXPECT_EQ(sim.waits[0], sim.waits[4]) << "steps 1 to 5 of the first epoch";
  EXPECT_EQ(sim.waits[5], sim.waits[9]) << "and of the second";
  EXPECT_GT(sim.waits[5], sim.waits[4]) << "the epoch's end reads its values";
}

}  // namespace
}  // namespace weft
