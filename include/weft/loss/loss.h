// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "weft/core/tensor.h"
#include "weft/nn/options.h"
#include "weft/nn/registry.h"
#include "weft/ops/loss.h"

namespace weft::loss {

/// What training makes small: a scalar, the mean over a batch, from a model's output and its
/// target.
class WEFT_API Loss {
 public:
  using Function = std::function<Tensor(const Tensor& output, const Tensor& target)>;
  Loss(std::string name, Function function);

  const std::string& name() const { return name_; }
  Tensor operator()(const Tensor& output, const Tensor& target) const {
    return function_(output, target);
  }

 private:
  std::string name_;
  Function function_;
};

/// Softmax cross-entropy (see `cross_entropy`), with Reduction::mean unless said otherwise.
class WEFT_API CrossEntropy : public Loss {
 public:
  explicit CrossEntropy(const CrossEntropyOptions& options = {});
};

/// mean((output - target)²), both of one shape: Error(shape) otherwise.
class WEFT_API MSE : public Loss {
 public:
  MSE();
};

/// One factor per class, so that all weigh the same together: samples / (classes · count). A class
/// without samples gets 0.
WEFT_API std::vector<double> balanced_weights(const std::vector<std::int64_t>& class_counts);

/// What a loss made from a config file may need to know of the data.
struct LossTask {
  std::vector<std::int64_t> class_counts = {};  ///< of the training part; empty for regression
  Device device = {};                           ///< where class weights go
};
using LossFactory = std::function<Loss(const OptionValues& options, const LossTask& task)>;
/// All losses that a config file may name: cross_entropy, mse, and what was added since.
WEFT_API Registry<LossFactory>& loss_registry();

}  // namespace weft::loss
