// SPDX-License-Identifier: Apache-2.0
#include "train/fit.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "train/samples.h"
#include "weft/base/checked.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/ops/pointwise.h"

namespace weft {
namespace {

optim::RunLength length_of(const TrainerOptions& options, const data::DataLoader& train) {
  const std::int64_t batches = train.batches_per_epoch();
  optim::RunLength out;
  out.steps_per_epoch = (batches + options.accumulate - 1) / options.accumulate;
  if (options.epochs) {
    out.total_steps = checked_mul(*options.epochs, out.steps_per_epoch, "steps of the run");
  }
  if (options.max_steps) {
    out.total_steps = std::min(out.total_steps.value_or(*options.max_steps), *options.max_steps);
  }
  return out;
}

std::string best_figure(const TrainerOptions& options, bool validates) {
  if (!options.best.empty()) return options.best;
  return validates ? "val/loss" : "train/loss";
}

StepState step_state_of(const Readback& readback) {
  StepState state;
  std::memcpy(&state, readback.bytes(1).data(), sizeof(state));
  return state;
}

}  // namespace

Fit::Fit(Trainer::State& trainer, data::DataLoader& train, data::DataLoader* val)
    : trainer_(trainer),
      options_(trainer.options),
      train_(train),
      val_(val),
      length_(length_of(options_, train)),
      best_("best", best_figure(options_, val != nullptr), Better::automatic, 0, trainer.metrics,
            val != nullptr),
      graph_([this](std::span<const Tensor> inputs) { return step(inputs); }) {
  if (options_.early_stopping) {
    const EarlyStopping& early = *options_.early_stopping;
    early_.emplace("early_stopping", early.monitor, early.mode, early.min_delta, trainer.metrics,
                   val != nullptr);
  }
  // A phase without a length that it needs is found before anything runs.
  (void)options_.schedule.factor(length_.total_steps.value_or(1) - 1, length_);
}

FitResult Fit::run() {
  tell([&](TrainCallback& c) {
    c.before_run({length_, options_.epochs, trainer_.model->parameter_count(), val_ != nullptr});
  });
  trainer_.best.clear();
  trainer_.optimizer.zero_grad();
  sanity_check();
  trainer_.model->train();
  if (trainer_.stop_requested) stop_ = StopReason::requested;
  while (!stop_) run_epoch();
  trainer_.stop_requested = false;
  result_.reason = *stop_;
  result_.steps = step_;
  result_.epochs = epoch_;
  result_.seconds = seconds_since(began_);
  result_.capture = graph_.report();
  tell([&](TrainCallback& c) { c.after_run(result_); });
  return result_;
}

void Fit::sanity_check() {
  if (val_ == nullptr || options_.sanity_batches == 0) return;
  (void)evaluate(*trainer_.model, trainer_.loss, trainer_.metrics, *val_,
                 {.device = trainer_.device(), .max_batches = options_.sanity_batches});
}

void Fit::run_epoch() {
  const auto began = Clock::now();
  ++epoch_;
  epoch_loss_.reset();
  tell([&](TrainCallback& c) { c.before_epoch(epoch_); });
  double waited = 0;
  auto batches = train_.begin();
  waited += seconds_since(began);
  while (!stop_) {
    const Group group = next_group(batches, waited);
    if (group.empty()) break;
    run_step(group, waited);
    waited = 0;
    after_step_budgets();
  }
  settle(true);
  if (stop_ != StopReason::requested) end_epoch(began);
}

Fit::Group Fit::next_group(data::DataLoader::Iterator& batches, double& waited) {
  Group group;
  const auto began = Clock::now();
  while (static_cast<std::int64_t>(group.size()) < options_.accumulate &&
         batches != data::DataLoader::end()) {
    group.push_back(std::move(*batches));
    ++batches;
  }
  waited += seconds_since(began);
  return group;
}

std::vector<Tensor> Fit::on_device(const Group& group) const {
  std::vector<Tensor> inputs;
  for (const data::Batch& batch : group) {
    if (!batch.y.defined()) {
      throw Error(ErrorKind::value, "trainer: the training data has no targets",
                  "give the dataset targets");
    }
    inputs.push_back(batch.x.to(trainer_.device()));
    // Without the padding, so that the shapes tell how many samples count.
    inputs.push_back(samples_of(batch.y, batch.size).to(trainer_.device()));
  }
  return inputs;
}

void Fit::run_step(const Group& group, double waited) {
  ++step_;
  tell([&](TrainCallback& c) { c.before_step(step_, epoch_); });
  optim::Optimizer& optimizer = trainer_.optimizer;
  optimizer.set_lr_factor(options_.schedule.factor(step_ - 1, length_));
  const std::vector<Tensor> inputs = on_device(group);
  std::vector<Tensor> values = options_.capture ? graph_(inputs) : step(inputs);

  StepReport report{.step = step_, .epoch = epoch_, .lr = optimizer.lr(), .data_wait = waited};
  for (const data::Batch& batch : group) report.samples += batch.size;
  pending_.push_back({std::move(report), Readback(std::move(values))});
  settle(false);
}

std::vector<Tensor> Fit::step(std::span<const Tensor> inputs) {
  optim::Optimizer& optimizer = trainer_.optimizer;
  double samples = 0;
  for (std::size_t i = 1; i < inputs.size(); i += 2) {
    samples += static_cast<double>(inputs[i].shape()[0]);
  }
  Tensor total;
  for (std::size_t i = 0; i < inputs.size(); i += 2) {
    const Tensor& target = inputs[i + 1];
    const std::int64_t size = target.shape()[0];
    Tensor loss = trainer_.loss(samples_of((*trainer_.model)(inputs[i]), size), target);
    if (inputs.size() > 2) loss = loss * (static_cast<double>(size) / samples);
    (options_.loss_scaler ? options_.loss_scaler->scale(loss) : loss).backward();
    total = total.defined() ? total + loss.detach() : loss.detach();
  }
  if (options_.loss_scaler) {
    optim::LossScaler scaler = *options_.loss_scaler;
    optimizer.step(total, scaler);
    scaler.update({optimizer});
  } else {
    optimizer.step(total);
  }
  optimizer.zero_grad();
  return {total, optimizer.step_state()};
}

void Fit::settle(bool wait) {
  while (!pending_.empty()) {
    Pending& first = pending_.front();
    if (wait) first.readback.wait();
    if (!first.readback.is_done()) return;
    report_step(first);
    pending_.pop_front();
  }
}

void Fit::report_step(Pending& pending) {
  StepReport& report = pending.report;
  const StepState state = step_state_of(pending.readback);
  report.loss = pending.readback.value(0);
  report.grad_norm = state.grad_norm;
  report.applied = state.applies();
  if (state.first_nonfinite >= 0) {
    const auto index = static_cast<std::size_t>(state.first_nonfinite);
    report.overflowed = trainer_.optimizer.parameters()[index].name();
  }
  epoch_loss_.add(report.loss, static_cast<double>(report.samples));
  tell([&](TrainCallback& c) { c.after_step(report); });
  if (options_.on_nonfinite == OnNonfinite::stop) require_finite(report, state);
}

void Fit::require_finite(const StepReport& report, const StepState& state) const {
  const std::string where = cat("at step ", report.step, ", epoch ", report.epoch);
  if (!std::isfinite(report.loss)) {
    throw Error(ErrorKind::nonfinite,
                cat("train: the loss is ", report.loss, " ", where, "; the step was left out"),
                "lower the learning rate, clip gradients, or look for extreme values in the data");
  }
  if (state.found_inf != 0 && !options_.loss_scaler) {
    throw Error(ErrorKind::nonfinite,
                cat("train: the gradient of `", report.overflowed, "` is not finite ", where,
                    "; the step was left out"),
                "lower the learning rate or clip gradients");
  }
}

void Fit::after_step_budgets() {
  const bool by_steps = val_ != nullptr && options_.eval_every_steps;
  if (trainer_.stop_requested) {
    stop_ = StopReason::requested;
  } else if (options_.max_steps && step_ >= *options_.max_steps) {
    stop_ = StopReason::max_steps;
  } else if (options_.max_time && seconds_since(began_) >= *options_.max_time) {
    stop_ = StopReason::max_time;
  } else if (by_steps && step_ % *options_.eval_every_steps == 0) {
    settle(true);
    judge(evaluate_now());
  }
}

NamedValues Fit::evaluate_now() {
  const auto began = Clock::now();
  evaluated_step_ = step_;
  tell([&](TrainCallback& c) { c.before_evaluation(step_, epoch_); });
  Evaluation found = evaluate(*trainer_.model, trainer_.loss, trainer_.metrics, *val_,
                              {.device = trainer_.device()});
  for (auto& [name, value] : found.values) name.insert(0, "val/");
  const EvaluationReport report{step_, epoch_, found.values, std::move(found.notes),
                                seconds_since(began)};
  tell([&](TrainCallback& c) { c.after_evaluation(report); });
  return std::move(found.values);
}

bool Fit::judge(const NamedValues& values) {
  if (early_ && find_value(values, early_->figure())) {
    evaluations_without_gain_ = early_->improved(values) ? 0 : evaluations_without_gain_ + 1;
    if (evaluations_without_gain_ >= options_.early_stopping->patience && !stop_) {
      stop_ = StopReason::early_stopping;
    }
  }
  if (!best_.improved(values)) return false;
  trainer_.keep_best();
  result_.best_step = step_;
  result_.best_epoch = epoch_;
  result_.best_values = values;
  return true;
}

bool Fit::is_evaluation_epoch() const {
  if (val_ == nullptr || evaluated_step_ == step_) return false;
  if (stop_ || epoch_ == options_.epochs) return true;
  return !options_.eval_every_steps && epoch_ % options_.eval_every_epochs == 0;
}

void Fit::end_epoch(Clock::time_point began) {
  EpochReport report{
      .step = step_, .epoch = epoch_, .values = {{"train/loss", epoch_loss_.value()}}};
  if (is_evaluation_epoch()) {
    NamedValues values = evaluate_now();
    report.values.insert(report.values.end(), values.begin(), values.end());
  }
  report.best = judge(report.values);
  report.seconds = seconds_since(began);
  result_.last_values = report.values;
  tell([&](TrainCallback& c) { c.after_epoch(report); });
  if (!stop_ && epoch_ == options_.epochs) stop_ = StopReason::epochs;
  if (!stop_ && trainer_.stop_requested) stop_ = StopReason::requested;
}

double Fit::seconds_since(Clock::time_point begin) const {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace weft
