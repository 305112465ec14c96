// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "train/monitor.h"
#include "train/readback.h"
#include "train/trainer_state.h"
#include "weft/graph/step_graph.h"

namespace weft {

/// One call of `Trainer::fit`.
class Fit {
 public:
  Fit(Trainer::State& trainer, data::DataLoader& train, data::DataLoader* val);
  FitResult run();

 private:
  using Clock = std::chrono::steady_clock;
  using Group = std::vector<data::Batch>;  ///< the batches of one update

  /// A step whose values are still on the device.
  struct Pending {
    StepReport report;
    Readback readback;
  };

  void sanity_check();
  void run_epoch();
  Group next_group(data::DataLoader::Iterator& batches, double& waited);
  void run_step(const Group& group, double waited);
  std::vector<Tensor> step(std::span<const Tensor> inputs);
  std::vector<Tensor> on_device(const Group& group) const;

  void settle(bool wait);
  void report_step(Pending& pending);
  void require_finite(const StepReport& report, const StepState& state) const;

  NamedValues evaluate_now();
  bool is_evaluation_epoch() const;
  bool judge(const NamedValues& values);
  void end_epoch(Clock::time_point began);
  void after_step_budgets();

  double seconds_since(Clock::time_point begin) const;
  template <class Tell>
  void tell(const Tell& what) {
    for (const TrainCallbackPtr& callback : trainer_.callbacks) what(*callback);
  }

  Trainer::State& trainer_;
  const TrainerOptions& options_;
  data::DataLoader& train_;
  data::DataLoader* val_;
  optim::RunLength length_;
  Monitor best_;
  std::optional<Monitor> early_;
  std::int64_t evaluations_without_gain_ = 0;
  std::int64_t evaluated_step_ = 0;

  StepGraph graph_;
  std::deque<Pending> pending_;
  metric::WeightedMean epoch_loss_;
  std::int64_t step_ = 0;
  std::int64_t epoch_ = 0;
  std::optional<StopReason> stop_;
  Clock::time_point began_ = Clock::now();
  FitResult result_;
};

}  // namespace weft
