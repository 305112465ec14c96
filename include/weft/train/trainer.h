// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/data/loader.h"
#include "weft/graph/step_graph.h"
#include "weft/loss/loss.h"
#include "weft/metric/metric.h"
#include "weft/nn/module.h"
#include "weft/optim/loss_scaler.h"
#include "weft/optim/optimizer.h"
#include "weft/optim/schedule.h"
#include "weft/train/evaluate.h"

namespace weft {

/// Which of two values of a figure is the better one. `automatic`: lower for losses, else as the
/// metric says.
enum class Better : std::uint8_t { automatic, lower, higher };

struct EarlyStopping {
  std::string monitor = "val/loss";
  Better mode = Better::automatic;
  std::int64_t patience = 5;  ///< evaluations without gain
  double min_delta = 0;       ///< what counts as a gain
};

enum class OnNonfinite : std::uint8_t { stop, skip };

struct TrainerOptions {
  /// At least one is needed; the first that is reached ends the run.
  std::optional<std::int64_t> epochs = {};
  std::optional<std::int64_t> max_steps = {};
  std::optional<double> max_time = {};  ///< seconds

  std::int64_t accumulate = 1;  ///< passes per update; the gradient is that of all their samples
  std::optional<double> clip_grad_norm = {};
  std::optional<double> clip_grad_value = {};
  optim::Schedule schedule = {};
  std::optional<optim::LossScaler> loss_scaler = {};

  std::int64_t eval_every_epochs = 1;
  std::optional<std::int64_t> eval_every_steps = {};  ///< instead of epochs
  std::int64_t sanity_batches = 2;  ///< validation batches before the first step; not recorded
  /// The figure that chooses the best weights; strictly better wins. Empty: `val/loss`, or
  /// `train/loss` without validation data.
  std::string best = {};
  std::optional<EarlyStopping> early_stopping = {};
  /// A loss or gradient that is not finite: Error(nonfinite), or a step left out. With a loss
  /// scaler gradients may overflow; then only the loss counts.
  OnNonfinite on_nonfinite = OnNonfinite::stop;
  /// Replay repeated steps as one recorded graph.
  bool capture = false;
};

/// Why a run ended.
enum class StopReason : std::uint8_t { epochs, max_steps, max_time, early_stopping, requested };
WEFT_API std::string_view name_of(StopReason reason);

struct RunInfo {
  optim::RunLength length;
  std::optional<std::int64_t> epochs;
  std::int64_t parameters = 0;  ///< elements
  bool validates = false;
};

/// One update, counted from 1. Told once its values have reached the host: at once on the CPU, else
/// some steps later, in order.
struct StepReport {
  std::int64_t step = 0;
  std::int64_t epoch = 0;
  double loss = 0;  ///< mean over its samples, before the update
  double lr = 0;
  double grad_norm = 0;  ///< L2 norm over all gradients, before clip_grad_norm
  std::int64_t samples = 0;
  bool applied = true;          ///< false: left out because something was not finite
  std::string overflowed = {};  ///< then the first parameter whose gradient was not
  double data_wait = 0;         ///< seconds spent waiting for its batches
};

struct EvaluationReport {
  std::int64_t step = 0;
  std::int64_t epoch = 0;
  NamedValues values;  ///< `val/loss`, `val/accuracy`, ...
  std::vector<std::string> notes;
  double seconds = 0;
};

struct EpochReport {
  std::int64_t step = 0;  ///< steps done
  std::int64_t epoch = 0;
  NamedValues values;  ///< `train/loss`, then `val/...` when it was evaluated at its end
  bool best = false;   ///< its weights are the best so far
  double seconds = 0;
};

struct FitResult {
  StopReason reason = StopReason::epochs;
  std::int64_t steps = 0;
  std::int64_t epochs = 0;     ///< begun
  std::int64_t best_step = 0;  ///< 0: nothing was evaluated
  std::int64_t best_epoch = 0;
  NamedValues best_values;
  NamedValues last_values;
  double seconds = 0;
  /// What replaying did, and why not, with `TrainerOptions::capture`.
  StepGraphReport capture;
};

/// What happens during a run. All calls come from the thread that called `fit`.
class WEFT_API TrainCallback {
 public:
  virtual ~TrainCallback();
  virtual void before_run(const RunInfo&) {}
  virtual void before_epoch(std::int64_t /*epoch*/) {}
  virtual void before_step(std::int64_t /*step*/, std::int64_t /*epoch*/) {}
  virtual void after_step(const StepReport&) {}
  virtual void before_evaluation(std::int64_t /*step*/, std::int64_t /*epoch*/) {}
  virtual void after_evaluation(const EvaluationReport&) {}
  virtual void after_epoch(const EpochReport&) {}
  virtual void after_run(const FitResult&) {}
};
using TrainCallbackPtr = std::shared_ptr<TrainCallback>;

/// Trains a model. An ordinary class over public parts: everything it does can be written by hand.
///
///   Trainer trainer(net, loss::CrossEntropy(), optim::AdamW(net.parameters()), {.epochs = 15});
///   trainer.metrics({std::make_shared<metric::Accuracy>()});
///   FitResult result = trainer.fit(train, &val);
///   trainer.load_best();
///
/// The model's parameters decide the device. Results depend on seeds and data alone, not on
/// threads.
class WEFT_API Trainer {
 public:
  template <std::derived_from<nn::Module> M>
  Trainer(M model, loss::Loss loss, optim::Optimizer optimizer, TrainerOptions options = {})
      : Trainer(nn::ModulePtr(std::make_shared<M>(std::move(model))), std::move(loss),
                std::move(optimizer), std::move(options)) {}
  /// Throws Error(value) when options are out of range or contradict each other.
  Trainer(nn::ModulePtr model, loss::Loss loss, optim::Optimizer optimizer,
          TrainerOptions options = {});

  Trainer& metrics(std::vector<metric::MetricPtr> metrics);
  Trainer& add(TrainCallbackPtr callback);

  /// Trains until a budget is used up, early stopping or `request_stop`. The model then holds its
  /// last weights. Throws Error(value) when a monitored figure does not exist, Error(nonfinite),
  /// and what model, data and callbacks throw.
  FitResult fit(data::DataLoader& train, data::DataLoader* val = nullptr);
  /// `loss` and the metrics over `batches`, with the weights that the model has now.
  Evaluation evaluate(data::DataLoader& batches);
  /// Outputs for all samples, on the CPU.
  Tensor predict(data::DataLoader& batches);

  /// Ends the run after the current step (or the next one at once), without a further evaluation.
  /// May be called from a signal handler or another thread.
  void request_stop() noexcept;

  /// The weights that were best by `TrainerOptions::best`; empty when nothing was evaluated.
  const StateDict& best_weights() const;
  /// Puts them into the model. Throws Error(state) when there are none.
  void load_best();

  nn::Module& model() const;
  const optim::Optimizer& optimizer() const;
  const TrainerOptions& options() const;

 private:
  struct State;
  friend class Fit;
  std::shared_ptr<State> state_;
};

}  // namespace weft
