// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weft/core/tensor.h"

namespace weft {

struct LayerNormOptions {
  Tensor weight = {};
  Tensor bias = {};
  double eps = 1e-5;
  std::int64_t dims = 1;  ///< how many trailing dimensions one mean and variance cover
};

/// (x - mean) / sqrt(var + eps) * weight + bias over the trailing `dims` dimensions; Ba et al.
/// 2016. `weight` and `bias`, each optional, have the shape of those dimensions. The variance is
/// biased and computed in two passes, so it stays accurate when the mean is large. Halves are
/// summed in f32. Throws Error(shape | dtype | value).
WEFT_API Tensor layer_norm(const Tensor& x, const LayerNormOptions& options = {});

struct BatchNormOptions {
  Tensor weight = {};
  Tensor bias = {};
  bool training = true;
  double momentum = 0.1;
  double eps = 1e-5;
};

/// Normalises every channel, the last dimension of `x` [..., C], over all other dimensions; Ioffe &
/// Szegedy 2015. In training by the batch's mean and biased variance, and then
/// `running_mean += momentum (mean - running_mean)`, `running_var` likewise with the unbiased
/// variance; otherwise by the running ones. These are f32 [C] (f64 for f64 `x`) and are written in
/// place. In training C needs more than one value per channel. Throws Error(shape | dtype | value).
WEFT_API Tensor batch_norm(const Tensor& x, Tensor& running_mean, Tensor& running_var,
                           const BatchNormOptions& options = {});

}  // namespace weft
