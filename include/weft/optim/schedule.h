// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "weft/base/export.h"
#include "weft/nn/options.h"
#include "weft/nn/registry.h"

/// Learning-rate schedules: pure functions of the number of steps done, on the host.
namespace weft::optim {

/// How long a run is. `total_steps` is empty when only time ends it.
struct RunLength {
  std::int64_t steps_per_epoch = 1;
  std::optional<std::int64_t> total_steps = {};
};

/// Where a phase stands: `done` of its `length` steps (empty when nobody knows it) are done.
struct PhasePoint {
  std::int64_t done = 0;
  std::optional<std::int64_t> length = {};
  std::int64_t steps_per_epoch = 1;
};

/// A stretch of a schedule: a factor of the learning rate over some steps.
///
///   optim::Schedule({SchedulePhase::linear(0.1, 1).for_epochs(2), SchedulePhase::cosine(0.01)})
class WEFT_API SchedulePhase {
 public:
  using Function = std::function<double(const PhasePoint&)>;
  /// `needs_length`: `function` cannot do without `PhasePoint::length`.
  SchedulePhase(std::string type, Function function, bool needs_length = false);

  static SchedulePhase constant(double factor = 1);
  /// From `from` to `to` in equal steps.
  static SchedulePhase linear(double from, double to);
  /// Half a cosine from `from` to `to`; Loshchilov & Hutter 2017.
  static SchedulePhase cosine(double to, double from = 1);
  /// Times `gamma` every `every` epochs.
  static SchedulePhase step(std::int64_t every, double gamma = 0.1);
  /// Times `gamma` at each of these epochs of the phase, ascending.
  static SchedulePhase multi_step(std::vector<std::int64_t> milestones, double gamma = 0.1);
  /// Times `gamma` every epoch.
  static SchedulePhase exponential(double gamma);
  /// Cosines from 1/div_factor up to 1 over the share `pct_start` of the phase and down to
  /// 1/(div_factor·final_div_factor); Smith & Topin 2018, as torch.optim's OneCycleLR.
  static SchedulePhase one_cycle(double pct_start = 0.3, double div_factor = 25,
                                 double final_div_factor = 1e4);

  SchedulePhase for_epochs(std::int64_t epochs) const;
  SchedulePhase for_steps(std::int64_t steps) const;

  const std::string& type() const { return type_; }
  /// Steps of the phase; empty when it takes what is left.
  std::optional<std::int64_t> steps(const RunLength& run) const;
  bool needs_length() const { return needs_length_; }
  double factor(const PhasePoint& point) const { return function_(point); }

 private:
  std::string type_;
  Function function_;
  bool needs_length_;
  std::optional<std::int64_t> epochs_;
  std::optional<std::int64_t> steps_;
};

/// Phases in order; without any, the factor is 1. After the last phase its final factor stays.
class WEFT_API Schedule {
 public:
  Schedule() = default;
  /// Throws Error(value) when a phase but the last has no length.
  explicit Schedule(std::vector<SchedulePhase> phases);

  /// The factor for the next step after `done` steps: step k uses factor(k - 1). Throws
  /// Error(value) when a phase needs a length that `run` does not give.
  double factor(std::int64_t done, const RunLength& run) const;
  const std::vector<SchedulePhase>& phases() const { return phases_; }

 private:
  std::vector<SchedulePhase> phases_;
};

using ScheduleFactory = std::function<SchedulePhase(const OptionValues& options)>;
/// All phases that a config file may name; `epochs` and `steps` are given to the result.
WEFT_API Registry<ScheduleFactory>& schedule_registry();

}  // namespace weft::optim
