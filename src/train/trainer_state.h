// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <vector>

#include "weft/train/trainer.h"

namespace weft {

struct Trainer::State {
  nn::ModulePtr model;
  loss::Loss loss;
  optim::Optimizer optimizer;
  TrainerOptions options;
  metric::MetricSet metrics = {};
  std::vector<TrainCallbackPtr> callbacks = {};
  StateDict best = {};
  std::atomic<bool> stop_requested{false};

  Device device() const { return optimizer.parameters().front().device(); }
  /// Copies the weights that the model has now.
  void keep_best();
};

}  // namespace weft
