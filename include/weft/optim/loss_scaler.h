// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>

#include "weft/optim/optimizer.h"

namespace weft::optim {

struct LossScalerOptions {
  double init = 65536;
  double growth = 2;
  double backoff = 0.5;
  std::int64_t interval = 2000;  ///< finite steps before the scale grows
  double min = 1;
};

/// Dynamic loss scaling for f16 gradients, Micikevicius et al. 2018. The scale lives on the device.
/// A handle: copies share.
///
///   scaler.scale(loss).backward();
///   optimizer.step(loss, scaler);
///   scaler.update({optimizer});
class WEFT_API LossScaler {
 public:
  /// Throws Error(value) for values out of range.
  explicit LossScaler(const LossScalerOptions& options = {}, Device device = {});

  /// `loss` times the scale in force.
  Tensor scale(const Tensor& loss) const;
  /// Once per step, after all `optimizers` stepped: lowers the scale when one met Inf or NaN, else
  /// raises it in time.
  void update(std::initializer_list<Optimizer> optimizers);

  const Tensor& tensor() const;
  /// Copies the state to the host; waits for the device.
  LossScalerState read() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace weft::optim
