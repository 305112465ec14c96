// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "weft/core/context.h"
#include "weft/nn/module.h"

namespace weft::nn {

/// Evaluation mode without gradients until destroyed; then every part of the module is back in the
/// mode that it was in. Unlike `eval()` and `train()` it leaves recorded steps valid: they tell the
/// modes apart by the gradient switch.
class WEFT_API EvalScope {
 public:
  explicit EvalScope(Module& module);
  ~EvalScope();
  EvalScope(const EvalScope&) = delete;
  EvalScope& operator=(const EvalScope&) = delete;

 private:
  NoGrad no_grad_;
  std::vector<std::pair<std::shared_ptr<detail::ModuleState>, bool>> modes_;
};

}  // namespace weft::nn
