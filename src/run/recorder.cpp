// SPDX-License-Identifier: Apache-2.0
#include "run/recorder.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "run/json_line.h"
#include "run/model_file.h"
#include "weft/base/text.h"
#include "weft/core/memory.h"

namespace weft {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string milliseconds(double seconds) { return json_number(std::round(seconds * 1000) / 1000); }

std::pair<std::string, std::string> bytes_field(const char* name, std::size_t bytes) {
  return {name, std::to_string(bytes)};
}

bool watches_larger(const std::string& name, const std::vector<metric::MetricPtr>& metrics) {
  for (const metric::MetricPtr& metric : metrics) {
    if (name == cat("val/", metric->name())) return metric->higher_is_better();
  }
  return false;
}

}  // namespace

Recorder::Recorder(const Config& config, Prepared& prepared, RunFolder& folder, Console& console)
    : config_(config),
      prepared_(prepared),
      folder_(folder),
      console_(console),
      larger_is_better_(watches_larger(config.eval.best, prepared.metrics)) {}

void Recorder::before_run(const RunInfo& info) {
  info_ = info;
  start_ = now();
  last_step_time_ = start_;
  memory::reset_peak(prepared_.device);
}

void Recorder::before_epoch(std::int64_t epoch) {
  if (epoch != 1 || !info_.validates || config_.eval.sanity_batches == 0) return;
  console_.text(
      cat("check  ", config_.eval.sanity_batches, " validation batches before epoch 1: ok\n\n"));
}

double Recorder::seconds() const { return now() - start_; }

double Recorder::samples_per_second() {
  const double time = now();
  const double rate = static_cast<double>(samples_) / std::max(time - last_step_time_, 1e-9);
  last_step_time_ = time;
  samples_ = 0;
  return rate;
}

void Recorder::after_step(const StepReport& report) {
  samples_ += report.samples;
  data_wait_ += report.data_wait;
  if (!report.applied) {
    ++skipped_;
    console_.warn(cat("step ", report.step, " was left out: ",
                      report.overflowed.empty() ? std::string("the loss")
                                                : cat("the gradient of ", report.overflowed),
                      " is not finite"));
  }
  if (report.step % config_.log.every_steps != 0) return;
  const double rate = samples_per_second();
  MetricRecord record{.kind = "train", .step = report.step, .epoch = report.epoch};
  record.values = {{"train/loss", report.loss}, {"lr", report.lr}, {"grad_norm", report.grad_norm}};
  record.perf = {{"time", milliseconds(seconds())},
                 {"samples_s", json_number(std::round(rate))},
                 {"data_wait", milliseconds(data_wait_)}};
  data_wait_ = 0;
  folder_.add(record);

  const std::int64_t in_epoch = (report.step - 1) % info_.length.steps_per_epoch + 1;
  StepLine line{.epoch = report.epoch,
                .epochs = info_.epochs,
                .step = report.step,
                .steps = info_.length.total_steps,
                .loss = report.loss,
                .lr = report.lr,
                .grad_norm = report.grad_norm,
                .samples_s = rate};
  line.epoch_share =
      static_cast<double>(in_epoch) / static_cast<double>(info_.length.steps_per_epoch);
  if (info_.length.total_steps) {
    const auto left = static_cast<double>(*info_.length.total_steps - report.step);
    line.eta = left * seconds() / static_cast<double>(report.step);
  }
  if (config_.train.max_time) {
    line.eta = std::min(line.eta.value_or(*config_.train.max_time),
                        std::max(0.0, *config_.train.max_time - seconds()));
  }
  console_.step(line);
}

bool Recorder::is_better(double value) const {
  if (folder_.record().best_metric.empty()) return !std::isnan(value);
  return larger_is_better_ ? value > folder_.record().best_value
                           : value < folder_.record().best_value;
}

bool Recorder::note_best(const NamedValues& values, std::int64_t step, std::int64_t epoch) {
  const auto value = find_value(values, config_.eval.best);
  if (!value || !is_better(*value)) return false;
  RunRecord& record = folder_.record();
  record.best_metric = config_.eval.best;
  record.best_value = *value;
  record.best_step = step;
  record.best_epoch = epoch;
  save_model_file();
  return true;
}

void Recorder::save_model_file() {
  save_model(folder_.path() / "model.safetensors", prepared_.model, config_, prepared_.data);
  has_model_ = true;
}

void Recorder::tell_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) {
    if (std::find(told_.begin(), told_.end(), note) != told_.end()) continue;
    told_.push_back(note);
    console_.warn(note);
  }
}

void Recorder::after_evaluation(const EvaluationReport& report) {
  tell_notes(report.notes);
  if (!config_.eval.every_steps) return;  // else the epoch's record has these values
  MetricRecord record{.kind = "epoch", .step = report.step, .epoch = report.epoch};
  record.best = note_best(report.values, report.step, report.epoch);
  record.values = report.values;
  record.perf = {{"time", milliseconds(seconds())}, {"epoch_s", milliseconds(report.seconds)}};
  folder_.add(record);
  console_.epoch({.epoch = report.epoch,
                  .epochs = info_.epochs,
                  .values = report.values,
                  .best = *record.best,
                  .seconds = report.seconds});
}

void Recorder::after_epoch(const EpochReport& report) {
  MetricRecord record{.kind = "epoch", .step = report.step, .epoch = report.epoch};
  record.best = note_best(report.values, report.step, report.epoch);
  record.values = report.values;
  const memory::Report memory = memory::report(prepared_.device);
  record.perf = {{"time", milliseconds(seconds())},
                 {"epoch_s", milliseconds(report.seconds)},
                 bytes_field("mem_live", memory.live),
                 bytes_field("mem_peak", memory.peak),
                 bytes_field("mem_cached", memory.cached)};
  folder_.add(record);
  console_.epoch({.epoch = report.epoch,
                  .epochs = info_.epochs,
                  .values = report.values,
                  .best = *record.best,
                  .seconds = report.seconds});
}

void Recorder::after_run(const FitResult& result) {
  MetricRecord record{.kind = "event", .step = result.steps, .epoch = result.epochs};
  record.event = "stop";
  record.reason = name_of(result.reason);
  record.perf = {{"time", milliseconds(seconds())}};
  folder_.add(record);
  const StepGraphReport& capture = result.capture;
  if (capture.recorded + capture.replayed > 0 || config_.train.capture == "on") {
    console_.log(LogLevel::info, "capture",
                 {LogField::integer("replayed", static_cast<std::int64_t>(capture.replayed)),
                  LogField::integer("recorded", static_cast<std::int64_t>(capture.recorded)),
                  LogField::integer("eager", static_cast<std::int64_t>(capture.eager))});
  }
  if (config_.train.capture == "on" && capture.replayed == 0)
    console_.warn(cat("no step was replayed: ", capture.reason));
  if (skipped_ > 0) console_.warn(cat(skipped_, " of ", result.steps, " steps were left out"));
}

void Recorder::add_test(const FitResult& result, const Evaluation& test) {
  tell_notes(test.notes);
  MetricRecord record{.kind = "test", .step = result.steps, .epoch = result.epochs};
  for (const auto& [name, value] : test.values)
    record.values.emplace_back(cat("test/", name), value);
  record.perf = {{"time", milliseconds(seconds())}};
  folder_.add(record);
  std::vector<LogField> fields;
  for (const auto& [name, value] : record.values)
    fields.push_back(LogField::number(name, value, fixed4(value)));
  console_.log(LogLevel::info, "test", fields);
}

}  // namespace weft
