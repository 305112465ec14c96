// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <functional>
#include <span>
#include <vector>

#include "weft/nn/options.h"
#include "weft/nn/registry.h"
#include "weft/optim/optimizer.h"

namespace weft::optim {

struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  bool nesterov = false;
  double weight_decay = 0;  ///< added to the gradient
  std::vector<ParamGroup> groups = {};
};

/// Stochastic gradient descent with momentum, as torch.optim.SGD (see `sgd_step`). Throws
/// Error(value) for values out of range, and for nesterov without momentum or with dampening.
class WEFT_API SGD : public Optimizer {
 public:
  explicit SGD(std::span<const Parameter> parameters, const SGDOptions& options = {});
};

struct AdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;  ///< added to the gradient
  std::vector<ParamGroup> groups = {};
};

/// Kingma & Ba 2015 (see `adam_step`).
class WEFT_API Adam : public Optimizer {
 public:
  explicit Adam(std::span<const Parameter> parameters, const AdamOptions& options = {});
};

struct AdamWOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0.01;  ///< decoupled; of all parameters unless a group says otherwise
  std::vector<ParamGroup> groups = {};
};

/// Loshchilov & Hutter 2019 (see `adam_step`).
class WEFT_API AdamW : public Optimizer {
 public:
  explicit AdamW(std::span<const Parameter> parameters, const AdamWOptions& options = {});
};

using OptimizerFactory =
    std::function<Optimizer(std::span<const Parameter> parameters, const OptionValues& options,
                            std::span<const ParamGroup> groups)>;
/// All optimizers that a config file may name: sgd, adam, adamw, and what was added since.
WEFT_API Registry<OptimizerFactory>& optimizer_registry();

}  // namespace weft::optim
