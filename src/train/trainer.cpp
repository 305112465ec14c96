// SPDX-License-Identifier: Apache-2.0
#include "weft/train/trainer.h"

#include "train/fit.h"
#include "train/trainer_state.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/context.h"

namespace weft {

TrainCallback::~TrainCallback() = default;

std::string_view name_of(StopReason reason) {
  constexpr std::string_view kNames[] = {"epochs", "max_steps", "max_time", "early_stopping",
                                         "requested"};
  return kNames[static_cast<std::size_t>(reason)];
}

namespace {

void require(bool fits, std::string_view message, std::string_view hint = {}) {
  if (!fits) throw Error(ErrorKind::value, cat("trainer: ", message), std::string(hint));
}

template <class T>
bool positive(const std::optional<T>& value) {
  return !value || *value > 0;
}

void check(const TrainerOptions& o) {
  require(o.epochs || o.max_steps || o.max_time, "nothing ends the run",
          "give epochs, max_steps or max_time");
  require(positive(o.epochs) && positive(o.max_steps) && positive(o.max_time),
          "epochs, max_steps and max_time must be above 0");
  require(o.accumulate > 0, cat("accumulate is ", o.accumulate, " but must be at least 1"));
  require(o.eval_every_epochs > 0 && positive(o.eval_every_steps),
          "eval_every_epochs and eval_every_steps must be at least 1");
  require(o.sanity_batches >= 0,
          cat("sanity_batches is ", o.sanity_batches, " but must be at least 0"));
  if (o.early_stopping) {
    require(o.early_stopping->patience > 0 && o.early_stopping->min_delta >= 0,
            "early_stopping needs patience of at least 1 and min_delta of at least 0");
  }
}

}  // namespace

Trainer::Trainer(nn::ModulePtr model, loss::Loss loss, optim::Optimizer optimizer,
                 TrainerOptions options) {
  require(model != nullptr, "model is null");
  check(options);
  if (options.clip_grad_norm) optimizer.clip_grad_norm(options.clip_grad_norm);
  if (options.clip_grad_value) optimizer.clip_grad_value(options.clip_grad_value);
  state_ = std::shared_ptr<State>(new State{.model = std::move(model),
                                            .loss = std::move(loss),
                                            .optimizer = std::move(optimizer),
                                            .options = std::move(options)});
}

Trainer& Trainer::metrics(std::vector<metric::MetricPtr> metrics) {
  state_->metrics = metric::MetricSet(std::move(metrics));
  return *this;
}

Trainer& Trainer::add(TrainCallbackPtr callback) {
  require(callback != nullptr, "callback is null");
  state_->callbacks.push_back(std::move(callback));
  return *this;
}

FitResult Trainer::fit(data::DataLoader& train, data::DataLoader* val) {
  return Fit(*state_, train, val).run();
}

Evaluation Trainer::evaluate(data::DataLoader& batches) {
  return weft::evaluate(*state_->model, state_->loss, state_->metrics, batches,
                        {.device = state_->device()});
}

Tensor Trainer::predict(data::DataLoader& batches) {
  return weft::predict(*state_->model, batches, {.device = state_->device()});
}

void Trainer::request_stop() noexcept { state_->stop_requested = true; }

const StateDict& Trainer::best_weights() const { return state_->best; }

void Trainer::load_best() {
  if (state_->best.empty()) {
    throw Error(ErrorKind::state,
                "trainer: there are no best weights because nothing was evaluated",
                "call fit() first");
  }
  state_->model->load_state_dict(state_->best);
}

nn::Module& Trainer::model() const { return *state_->model; }
const optim::Optimizer& Trainer::optimizer() const { return state_->optimizer; }
const TrainerOptions& Trainer::options() const { return state_->options; }

void Trainer::State::keep_best() {
  const NoGrad no_grad;
  StateDict now = model->state_dict();
  if (best.empty()) {
    for (auto& [name, value] : now) best.emplace_back(name, value.clone());
    return;
  }
  for (std::size_t i = 0; i < now.size(); ++i) best[i].second.copy_(now[i].second);
}

}  // namespace weft
