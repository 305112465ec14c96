// SPDX-License-Identifier: Apache-2.0
#include "weft/optim/loss_scaler.h"

#include <vector>

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/context.h"
#include "weft/ops/pointwise.h"

namespace weft::optim {

struct LossScaler::State {
  Tensor tensor;
  Tensor scale;
  LossScaleAttrs attrs;
};

LossScaler::LossScaler(const LossScalerOptions& o, Device device)
    : state_(std::make_shared<State>()) {
  const bool fits =
      o.init > 0 && o.min > 0 && o.growth > 1 && o.backoff > 0 && o.backoff < 1 && o.interval > 0;
  if (!fits) {
    throw Error(ErrorKind::value,
                cat("loss_scale: init ", o.init, ", growth ", o.growth, ", backoff ", o.backoff,
                    ", interval ", o.interval, ", min ", o.min,
                    ", but needed are init, interval, min > 0, growth > 1, backoff in (0, 1)"));
  }
  state_->tensor = make_loss_scaler(o.init, device);
  state_->scale = loss_scale_of(state_->tensor);
  state_->attrs = {.growth = o.growth, .backoff = o.backoff, .interval = o.interval, .min = o.min};
}

Tensor LossScaler::scale(const Tensor& loss) const { return mul(loss, state_->scale); }

void LossScaler::update(std::initializer_list<Optimizer> optimizers) {
  const NoGrad no_grad;
  std::vector<Tensor> states;
  for (const Optimizer& optimizer : optimizers) states.push_back(optimizer.step_state());
  update_loss_scale(state_->tensor, states, state_->attrs);
}

const Tensor& LossScaler::tensor() const { return state_->tensor; }
LossScalerState LossScaler::read() const { return read_loss_scaler(state_->tensor); }

}  // namespace weft::optim
