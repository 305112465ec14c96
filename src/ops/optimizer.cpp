// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/optimizer.h"

#include <cstring>

#include "op/call.h"
#include "ops/register.h"
#include "weft/core/context.h"

namespace weft {

namespace {

template <class S>
Tensor state_tensor(const S& state, Device device) {
  return Tensor::from_bytes(std::as_bytes(std::span(&state, 1)), Shape{sizeof(S)}, DType::u8,
                            device);
}

template <class S>
S state_on_host(const Tensor& tensor) {
  const Tensor host = tensor.to(Device());
  S state;
  std::memcpy(&state, host.data<std::uint8_t>().data(), sizeof(S));
  return state;
}

template <class S>
void require_state(const Infer& infer, int i, std::string_view maker) {
  const Tensor& tensor = infer.in(i);
  if (tensor.dtype() == DType::u8 && tensor.shape() == Shape{sizeof(S)}) return;
  infer.fail(ErrorKind::value, cat(infer.text(i), " but must be what ", maker, " returns"));
}

void require_i32(const Infer& infer, int i, std::int64_t params) {
  if (infer.dtype(i) != DType::i32)
    infer.fail(ErrorKind::dtype, cat(infer.text(i), " but must be i32"));
  infer.require_shape(i, Shape{params}, "one value per parameter");
}

/// Fails unless the list of declared input `list` holds `params` tensors.
void require_length(const Infer& infer, int list, std::string_view name, std::int64_t params) {
  const int length = infer.list_begin(list + 1) - infer.list_begin(list);
  if (length != params) {
    infer.fail(ErrorKind::shape, cat(name, " holds ", length, " tensors but there are ", params,
                                     " parameters; each needs one"));
  }
}

void require_in(const Infer& infer, std::string_view name, double value, double low, double high,
                std::string_view range) {
  if (!(value >= low && value < high)) {
    infer.fail(ErrorKind::value, cat(name, " is ", value, " but must be ", range));
  }
}

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

void infer_begin_update(Infer& infer) {
  require_state<StepState>(infer, 0, "make_step_state");
  require_i32(infer, 1, infer.list_begin(3) - infer.list_begin(2));
  for (int i = infer.list_begin(2); i < infer.list_begin(3); ++i) {
    if (infer.has(i)) infer.require_floating(i);
  }
  const int scaler = infer.list_begin(3);
  const int loss = infer.list_begin(4);
  if (infer.has(scaler)) require_state<LossScalerState>(infer, scaler, "make_loss_scaler");
  if (infer.has(loss)) {
    infer.require_floating(loss);
    if (infer.shape(loss).numel() != 1) {
      infer.fail(ErrorKind::shape, cat(infer.text(loss), " but must hold one value"));
    }
  }
}

constexpr OpDef kBeginUpdate{
    .name = "begin_update",
    .inputs = {"state", "updates", "grads*", "scaler?", "loss?"},
    .outputs = {},
    .infer = infer_begin_update,
    .cost = [](const CallInfo& c) { return Cost{.flops = c.traffic() / 2, .bytes = c.traffic()}; },
    .mutates = 0b00011,
    .key = 0,
};

constexpr int kParams = 3;
constexpr int kGrads = 4;

/// Checks one tensor per parameter: the same shape, and the dtype of the parameter or, for halves,
/// f32.
void check_parameter_list(const Infer& infer, int list, std::string_view name, bool half_allowed) {
  const int params = infer.list_begin(kParams);
  const int count = infer.list_begin(kParams + 1) - params;
  require_length(infer, list, name, count);
  for (int k = 0; k < count; ++k) {
    if (!infer.has(infer.list_begin(kGrads) + k)) continue;
    const int param = params + k;
    const int i = infer.list_begin(list) + k;
    if (!infer.has(i)) {
      infer.fail(ErrorKind::value,
                 cat(name, "[", k, "] is undefined but params[", k, "] has a gradient"));
    }
    const DType dtype = infer.dtype(param);
    const bool fits =
        is_half(dtype) ? infer.dtype(i) == DType::f32 || (half_allowed && infer.dtype(i) == dtype)
                       : infer.dtype(i) == dtype;
    if (!fits || !(infer.shape(i) == infer.shape(param))) {
      infer.fail(fits ? ErrorKind::shape : ErrorKind::dtype,
                 cat(infer.text(i), " but ", infer.text(param), "; it needs the same shape and ",
                     is_half(dtype) ? "f32" : "the same dtype"));
    }
  }
}

void check_targets(const Infer& infer) {
  require_state<StepState>(infer, 0, "make_step_state");
  const int params = infer.list_begin(kParams);
  const int count = infer.list_begin(kParams + 1) - params;
  require_i32(infer, 1, count);
  require_i32(infer, 2, count);
  for (int i = params; i < params + count; ++i) {
    if (!infer.has(i)) infer.fail(ErrorKind::value, cat("params[", i - params, "] is undefined"));
    infer.require_floating(i);
  }
  check_parameter_list(infer, kGrads, "grads", true);
}

void infer_sgd_step(Infer& infer) {
  const auto& attrs = infer.attrs<SgdAttrs>();
  require_in(infer, "momentum", attrs.momentum, 0, kNoLimit, ">= 0");
  if (attrs.nesterov && (attrs.momentum == 0 || attrs.dampening != 0)) {
    infer.fail(ErrorKind::value, cat("nesterov needs a momentum above 0 and a dampening of 0, got ",
                                     attrs.momentum, " and ", attrs.dampening));
  }
  check_targets(infer);
  if (attrs.momentum != 0) {
    check_parameter_list(infer, 5, "momentum_buffers", false);
  } else {
    require_length(infer, 5, "momentum is 0: momentum_buffers", 0);
  }
}

void infer_adam_step(Infer& infer) {
  const auto& attrs = infer.attrs<AdamAttrs>();
  require_in(infer, "beta1", attrs.beta1, 0, 1, "in [0, 1)");
  require_in(infer, "beta2", attrs.beta2, 0, 1, "in [0, 1)");
  require_in(infer, "eps", attrs.eps, 0, kNoLimit, ">= 0");
  check_targets(infer);
  check_parameter_list(infer, 5, "exp_avg", false);
  check_parameter_list(infer, 6, "exp_avg_sq", false);
}

/// Everything is read once, parameters and their moments are also written.
Cost step_cost(const CallInfo& c) {
  return {.flops = c.traffic() / 2, .bytes = 1.75 * c.traffic()};
}

constexpr OpDef kSgdStep{
    .name = "sgd_step",
    .inputs = {"state", "groups", "updates", "params*", "grads*", "momentum_buffers*"},
    .outputs = {},
    .attrs = attrs_of<SgdAttrs>,
    .infer = infer_sgd_step,
    .cost = step_cost,
    .mutates = 0b101000,
    .key = 0,
};

constexpr OpDef kAdamStep{
    .name = "adam_step",
    .inputs = {"state", "groups", "updates", "params*", "grads*", "exp_avg*", "exp_avg_sq*"},
    .outputs = {},
    .attrs = attrs_of<AdamAttrs>,
    .infer = infer_adam_step,
    .cost = step_cost,
    .mutates = 0b1101000,
    .key = 0,
};

void infer_update_loss_scale(Infer& infer) {
  const auto& attrs = infer.attrs<LossScaleAttrs>();
  require_in(infer, "growth", attrs.growth, 1, kNoLimit, ">= 1");
  if (!(attrs.backoff > 0 && attrs.backoff <= 1)) {
    infer.fail(ErrorKind::value, cat("backoff is ", attrs.backoff, " but must be in (0, 1]"));
  }
  if (attrs.interval < 1) {
    infer.fail(ErrorKind::value, cat("interval is ", attrs.interval, " but must be at least 1"));
  }
  if (!(attrs.min > 0)) {
    infer.fail(ErrorKind::value, cat("min is ", attrs.min, " but must be above 0"));
  }
  require_state<LossScalerState>(infer, 0, "make_loss_scaler");
  for (int i = infer.list_begin(1); i < infer.list_begin(2); ++i) {
    require_state<StepState>(infer, i, "make_step_state");
  }
}

constexpr OpDef kUpdateLossScale{
    .name = "update_loss_scale",
    .inputs = {"scaler", "states*"},
    .outputs = {},
    .attrs = attrs_of<LossScaleAttrs>,
    .infer = infer_update_loss_scale,
    .cost = [](const CallInfo& c) { return Cost{.bytes = c.traffic()}; },
    .mutates = 0b01,
    .key = 0,
};

std::span<const Tensor> one(const Tensor& tensor) { return {&tensor, 1}; }

}  // namespace

Tensor make_step_state(const StepSettings& settings, Device device) {
  StepState state;
  state.settings = settings;
  return state_tensor(state, device);
}

void set_step_settings(Tensor& state, const StepSettings& settings) {
  view_rows(state, 0, sizeof(StepSettings)).copy_(state_tensor(settings, Device()));
}

StepState read_step_state(const Tensor& state) { return state_on_host<StepState>(state); }

Tensor make_loss_scaler(double scale, Device device) {
  LossScalerState state;
  state.scale = static_cast<float>(scale);
  if (!(state.scale > 0) || state.scale > std::numeric_limits<float>::max()) {
    throw Error(ErrorKind::value,
                cat("make_loss_scaler: scale is ", scale, " but must be a positive f32"));
  }
  return state_tensor(state, device);
}

Tensor loss_scale_of(const Tensor& scaler) {
  const Storage& storage = *scaler.impl()->storage;
  return Tensor::over(StorageRef::share(scaler.impl()->storage),
                      static_cast<std::size_t>(scaler.impl()->data - storage.data), Shape(),
                      DType::f32);
}

LossScalerState read_loss_scaler(const Tensor& scaler) {
  return state_on_host<LossScalerState>(scaler);
}

void begin_update(Tensor& state, Tensor& updates, std::span<const Tensor> grads,
                  const BeginUpdateOptions& options) {
  const NoGrad no_grad;
  call_lists<kBeginUpdate>(
      NoAttrs(), {one(state), one(updates), grads, one(options.scaler), one(options.loss)});
}

void sgd_step(const UpdateTargets& t, std::span<const Tensor> momentum_buffers,
              const SgdAttrs& attrs) {
  const NoGrad no_grad;
  call_lists<kSgdStep>(
      attrs, {one(t.state), one(t.groups), one(t.updates), t.params, t.grads, momentum_buffers});
}

void adam_step(const UpdateTargets& t, std::span<const Tensor> exp_avg,
               std::span<const Tensor> exp_avg_sq, const AdamAttrs& attrs) {
  const NoGrad no_grad;
  call_lists<kAdamStep>(
      attrs, {one(t.state), one(t.groups), one(t.updates), t.params, t.grads, exp_avg, exp_avg_sq});
}

void update_loss_scale(Tensor& scaler, std::span<const Tensor> states,
                       const LossScaleAttrs& attrs) {
  call_lists<kUpdateLossScale>(attrs, {one(scaler), states});
}

void register_ops_optimizer() {
  register_op<kBeginUpdate>();
  register_op<kSgdStep>();
  register_op<kAdamStep>();
  register_op<kUpdateLossScale>();
}

}  // namespace weft
