// SPDX-License-Identifier: Apache-2.0
#include "weft/optim/optimizer.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "optim/param_groups.h"
#include "optim/staging.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/context.h"
#include "weft/op/node.h"
#include "weft/op/recording.h"
#include "weft/optim/loss_scaler.h"

namespace weft::optim {

UpdateRule::~UpdateRule() = default;

namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

Tensor zeros_on(const Shape& shape, DType dtype, Device device) {
  return empty(shape, {.dtype = dtype, .device = device}).fill_(0);
}

/// The gradient of `parameter`, undefined while empty.
Tensor gradient_of(const Parameter& parameter, Device device) {
  const Tensor& value = parameter.tensor();
  if (value.device() != device) {
    throw Error(ErrorKind::state,
                cat("optimizer step: `", parameter.name(), "` moved to ", value.device(),
                    " but the optimizer's state is on ", device),
                "move the model before making its optimizer");
  }
  const LeafGrad* leaf = leaf_if_any(value.impl());
  if (leaf == nullptr || parameter.frozen()) return {};
  if (leaf->incomplete) {
    throw Error(ErrorKind::state,
                cat("optimizer step: the gradient of `", parameter.name(),
                    "` is incomplete because a backward pass failed"),
                "call zero_grad(), then run forward and backward again");
  }
  return parameter.grad();
}

double limit_of(std::string_view name, std::optional<double> limit) {
  if (!limit) return kNoLimit;
  if (*limit > 0) return *limit;
  throw Error(ErrorKind::value, cat("optimizer: ", name, " is ", *limit, " but must be above 0"));
}

}  // namespace

struct Optimizer::State : std::enable_shared_from_this<State> {
  State(std::vector<Parameter> given, std::shared_ptr<const UpdateRule> update_rule)
      : parameters(std::move(given)),
        rule(std::move(update_rule)),
        device(common_device(parameters)),
        step_state(make_step_state({}, device)),
        staging(sizeof(StepSettings), device) {}

  std::vector<Parameter> parameters;
  std::shared_ptr<const UpdateRule> rule;
  Device device;
  std::vector<GroupSettings> groups;  ///< the last is for parameters in no group
  double factor = 1;
  double clip_norm = kNoLimit;
  double clip_value = kNoLimit;
  std::uint64_t iterations = 0;

  Tensor step_state;
  Tensor updates;
  Tensor group_of;
  std::vector<std::vector<Tensor>> kept;  ///< [state][parameter]
  StagingRing staging;

  StepSettings settings() const {
    StepSettings out;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      out.groups[i] = {groups[i].lr * factor, groups[i].weight_decay};
    }
    out.clip_norm = clip_norm;
    out.clip_value = clip_value;
    return out;
  }

  void send_settings() {
    Tensor buffer = staging.acquire();
    const StepSettings now = settings();
    std::memcpy(buffer.mutable_data<std::uint8_t>().data(), &now, sizeof(now));
    const StorageRef storage = StorageRef::share(step_state.impl()->storage);
    staging.send(buffer, Tensor::over(storage, 0, {std::int64_t{sizeof(StepSettings)}}, DType::u8));
  }

  // From a host action, so also before each replay: a recorded copy would read a buffer that the
  // host may be writing for a later step.
  void begin_step() {
    host_action(
        [state = shared_from_this()] {
          ++state->iterations;
          state->send_settings();
        },
        [state = shared_from_this()] { state->send_settings(); });
  }

  void make_kept_tensors() {
    for (std::size_t k = 0; k < rule->state_names().size(); ++k) {
      std::vector<Tensor>& tensors = kept.emplace_back();
      for (const Parameter& parameter : parameters) {
        const DType dtype = is_half(parameter.dtype()) ? DType::f32 : parameter.dtype();
        tensors.push_back(zeros_on(parameter.shape(), dtype, device));
      }
    }
  }
};

Optimizer::Optimizer(std::span<const Parameter> parameters, std::shared_ptr<const UpdateRule> rule,
                     double lr, double weight_decay, std::span<const ParamGroup> groups)
    : state_(std::make_shared<State>(each_once(parameters), std::move(rule))) {
  const NoGrad no_grad;
  State& s = *state_;
  s.groups = group_settings(groups, lr, weight_decay);
  const auto count = static_cast<std::int64_t>(s.parameters.size());
  s.group_of = Tensor::from(group_indices(groups, s.parameters), {count}, s.device);
  s.updates = zeros_on({count}, DType::i32, s.device);
  s.make_kept_tensors();
  current_session().bump_revision();
}

void Optimizer::step(const Tensor& loss) { run_step(loss, {}); }
void Optimizer::step(const Tensor& loss, const LossScaler& scaler) {
  run_step(loss, scaler.tensor());
}

void Optimizer::run_step(const Tensor& loss, const Tensor& scaler) {
  State& s = *state_;
  const NoGrad no_grad;
  std::vector<Tensor> params;
  std::vector<Tensor> grads;
  bool any = false;
  for (const Parameter& parameter : s.parameters) {
    params.push_back(parameter.tensor());
    grads.push_back(gradient_of(parameter, s.device));
    any = any || grads.back().defined();
  }
  if (!any) {
    throw Error(ErrorKind::state, "optimizer step: no parameter has a gradient",
                "call loss.backward() first, on a loss that depends on these parameters");
  }
  s.begin_step();
  begin_update(s.step_state, s.updates, grads,
               {.scaler = scaler, .loss = loss.defined() ? loss.detach() : loss});
  s.rule->update({s.step_state, s.group_of, s.updates, params, grads}, s.kept);
}

void Optimizer::zero_grad() {
  for (const Parameter& parameter : state_->parameters) parameter.tensor().zero_grad();
}

double Optimizer::lr() const { return lr(state_->groups.size() - 1); }

double Optimizer::lr(std::size_t group) const {
  if (group >= state_->groups.size()) {
    throw Error(ErrorKind::index, cat("optimizer: group ", group, " is wanted but there are ",
                                      state_->groups.size() - 1));
  }
  return state_->groups[group].lr * state_->factor;
}

void Optimizer::set_lr(double lr) {
  require_not_negative("lr", lr);
  for (GroupSettings& group : state_->groups) {
    if (!group.own_lr) group.lr = lr;
  }
}

void Optimizer::set_lr_factor(double factor) {
  require_not_negative("lr factor", factor);
  state_->factor = factor;
}

void Optimizer::clip_grad_norm(std::optional<double> limit) {
  state_->clip_norm = limit_of("clip_grad_norm", limit);
}
void Optimizer::clip_grad_value(std::optional<double> limit) {
  state_->clip_value = limit_of("clip_grad_value", limit);
}

std::string_view Optimizer::name() const { return state_->rule->name(); }
const std::vector<Parameter>& Optimizer::parameters() const { return state_->parameters; }
std::uint64_t Optimizer::iterations() const { return state_->iterations; }
const Tensor& Optimizer::step_state() const { return state_->step_state; }
StepState Optimizer::read_step_state() const { return weft::read_step_state(state_->step_state); }

StateDict Optimizer::state_dict() const {
  StateDict out = {{"step_state", state_->step_state}, {"updates", state_->updates}};
  const std::vector<std::string> names = state_->rule->state_names();
  for (std::size_t k = 0; k < names.size(); ++k) {
    for (std::size_t p = 0; p < state_->parameters.size(); ++p) {
      out.emplace_back(cat(names[k], "/", state_->parameters[p].name()), state_->kept[k][p]);
    }
  }
  return out;
}

}  // namespace weft::optim
