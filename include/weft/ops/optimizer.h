// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "weft/core/tensor.h"
#include "weft/op/attrs/optimizer.h"
#include "weft/op/step_state.h"

/// Parameter updates, in place and in one pass over all parameters. Nothing here waits for the
/// device but the two `read_` functions. A step is: `begin_update`, then `sgd_step` or `adam_step`,
/// then (with loss scaling, once for all optimizers) `update_loss_scale`.
namespace weft {

/// A StepState on `device`: u8 [sizeof(StepState)].
WEFT_API Tensor make_step_state(const StepSettings& settings = {}, Device device = {});
/// Replaces the settings by a stream-ordered copy: learning rates, weight decay, clip limits.
WEFT_API void set_step_settings(Tensor& state, const StepSettings& settings);
/// Copies the state to the host; waits for the device.
WEFT_API StepState read_step_state(const Tensor& state);

/// A LossScalerState on `device`: u8 [sizeof(LossScalerState)].
WEFT_API Tensor make_loss_scaler(double scale = 65536, Device device = {});
/// An f32 scalar that shares the scaler's bytes: `mul(loss, loss_scale_of(scaler)).backward()`.
WEFT_API Tensor loss_scale_of(const Tensor& scaler);
/// Copies the state to the host; waits for the device.
WEFT_API LossScalerState read_loss_scaler(const Tensor& scaler);

struct BeginUpdateOptions {
  Tensor scaler = {};  ///< the gradients are of a loss multiplied by this scaler's scale
  Tensor loss = {};    ///< scalar; a step whose loss is not finite is left out
};

/// Measures the gradients of a step and decides whether it is applied: sets every field of `state`
/// but the settings, counts it as applied or skipped, and when it is applied adds 1 to `updates[i]`
/// of every parameter i that has a gradient. `updates` is i32 [P]; `grads` holds P tensors of f64,
/// f32, bf16 or f16, an undefined one for a parameter that takes no part. Norms are summed in f64
/// in a fixed order. Throws Error(shape | dtype).
WEFT_API void begin_update(Tensor& state, Tensor& updates, std::span<const Tensor> grads,
                           const BeginUpdateOptions& options = {});

/// What a parameter kernel works on. P parameters of f64, f32, bf16 or f16, each with a gradient of
/// its dtype (f32 is accepted for halves) or an undefined one, and a group: i32 [P], values in [0,
/// 16). `updates` are those that `begin_update` counted.
struct UpdateTargets {
  const Tensor& state;
  const Tensor& groups;
  const Tensor& updates;
  std::span<const Tensor> params;
  std::span<const Tensor> grads;
};

/// SGD as torch.optim.SGD: g += weight_decay p; b = momentum b + (1 - dampening) g (b = g at the
/// parameter's first update); p -= lr (nesterov ? g + momentum b : b). `momentum_buffers` holds one
/// tensor per parameter, of its dtype (f32 for halves), and none when momentum is 0.
/// Nothing is written when the step is not applied. Throws Error(shape | dtype | value).
WEFT_API void sgd_step(const UpdateTargets& targets, std::span<const Tensor> momentum_buffers,
                       const SgdAttrs& attrs = {});

/// AdamW (Loshchilov & Hutter 2019, algorithm 2) or, with `decoupled = false`, Adam (Kingma & Ba
/// 2015) with decay added to the gradient; eps is added after the bias correction, as in
/// torch.optim. `exp_avg` and `exp_avg_sq` hold one tensor per parameter, of its dtype (f32 for
/// halves). Nothing is written when the step is not applied. Throws Error(shape | dtype | value).
WEFT_API void adam_step(const UpdateTargets& targets, std::span<const Tensor> exp_avg,
                        std::span<const Tensor> exp_avg_sq, const AdamAttrs& attrs = {});

/// Multiplies the scale by `backoff` (never below `min`) when a gradient of any of the `states` was
/// not finite, else by `growth` after `interval` finite steps in a row; an infinite scale is not
/// taken. Micikevicius et al. 2018, section 3.2. Throws Error(value).
WEFT_API void update_loss_scale(Tensor& scaler, std::span<const Tensor> states,
                                const LossScaleAttrs& attrs = {});

}  // namespace weft
