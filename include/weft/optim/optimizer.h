// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/nn/module.h"
#include "weft/nn/parameter.h"
#include "weft/ops/optimizer.h"

namespace weft::optim {

class LossScaler;

/// Parameters that are treated differently: those whose names fit one of the globs `params`. A
/// parameter belongs to the first group that fits.
struct ParamGroup {
  std::vector<std::string> params;
  std::optional<double> lr = {};
  std::optional<double> weight_decay = {};
};

/// What makes an optimizer one of a kind: the tensors that it keeps for each parameter, and the op
/// that updates parameters with them.
class WEFT_API UpdateRule {
 public:
  virtual ~UpdateRule();
  virtual std::string_view name() const = 0;
  /// Names of the tensors kept for each parameter (`exp_avg`, ...); they start at 0.
  virtual std::vector<std::string> state_names() const = 0;
  /// One update, after `begin_update`. `states[k]` holds the k-th kept tensor of every parameter.
  virtual void update(const UpdateTargets& targets,
                      std::span<const std::vector<Tensor>> states) const = 0;
};

/// Updates parameters from their gradients. A handle: copies share. Learning rates are set on the
/// host and sent with each step by a stream-ordered copy; whether a step applies (finite loss and
/// gradients), clipping and bias correction are decided on the device, so `step` never waits for
/// it.
class WEFT_API Optimizer {
 public:
  /// Each parameter once, however often it is listed; frozen ones take no part. At most 15 groups.
  /// Throws Error(value) when there is no parameter or a group's glob fits none, Error(device) when
  /// they live on several devices.
  Optimizer(std::span<const Parameter> parameters, std::shared_ptr<const UpdateRule> rule,
            double lr, double weight_decay, std::span<const ParamGroup> groups = {});

  /// Updates every parameter that has a gradient; the others, and their state, stay as they are.
  /// With `loss`, a step whose loss is not finite is left out, as is one with a gradient that is
  /// not. With `scaler`, gradients are those of a loss multiplied by its scale. Throws Error(state)
  /// when no parameter has a gradient, or when a backward pass failed since `zero_grad`.
  void step(const Tensor& loss = {});
  void step(const Tensor& loss, const LossScaler& scaler);
  /// Marks all gradients empty; writes no memory.
  void zero_grad();

  /// The learning rate in force: of parameters in no group, or of group `i`.
  double lr() const;
  double lr(std::size_t group) const;
  /// Sets the base learning rate of all but the groups with their own.
  void set_lr(double lr);
  /// Multiplies every base learning rate, groups' own too: what schedules give.
  void set_lr_factor(double factor);
  /// Limit of the L2 norm over all gradients / of each gradient's absolute values. Empty lifts it.
  void clip_grad_norm(std::optional<double> limit);
  void clip_grad_value(std::optional<double> limit);

  std::string_view name() const;
  const std::vector<Parameter>& parameters() const;
  /// Calls of `step`, applied or not.
  std::uint64_t iterations() const;
  /// The device state, for reading back: u8 [sizeof(StepState)].
  const Tensor& step_state() const;
  /// Copies the device state to the host; waits for the device.
  StepState read_step_state() const;
  /// All device state by name: `step_state`, `updates`, and `exp_avg/fc1.weight`, ...; shares
  /// memory.
  StateDict state_dict() const;

 private:
  struct State;
  void run_step(const Tensor& loss, const Tensor& scaler);
  std::shared_ptr<State> state_;
};

}  // namespace weft::optim
