// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "run/config.h"
#include "run/console.h"
#include "run/prepare.h"
#include "run/run_folder.h"
#include "weft/train/trainer.h"

namespace weft {

/// Writes what happens in a run to its folder and to the console, and the model file at every new
/// best.
class Recorder final : public TrainCallback {
 public:
  Recorder(const Config& config, Prepared& prepared, RunFolder& folder, Console& console);

  void before_run(const RunInfo& info) override;
  void before_epoch(std::int64_t epoch) override;
  void after_step(const StepReport& report) override;
  void after_evaluation(const EvaluationReport& report) override;
  void after_epoch(const EpochReport& report) override;
  void after_run(const FitResult& result) override;

  void add_test(const FitResult& result, const Evaluation& test);
  /// False while no model file was written.
  bool has_model() const { return has_model_; }
  void save_model_file();

 private:
  bool is_better(double value) const;
  /// Notes a new best of the watched figure, if `values` has one.
  bool note_best(const NamedValues& values, std::int64_t step, std::int64_t epoch);
  double seconds() const;
  double samples_per_second();
  void tell_notes(const std::vector<std::string>& notes);

  const Config& config_;
  Prepared& prepared_;
  RunFolder& folder_;
  Console& console_;
  RunInfo info_;
  bool larger_is_better_ = false;
  bool has_model_ = false;
  double start_ = 0;
  double last_step_time_ = 0;
  std::int64_t samples_ = 0;
  double data_wait_ = 0;
  std::int64_t skipped_ = 0;
  std::vector<std::string> told_;
};

}  // namespace weft
