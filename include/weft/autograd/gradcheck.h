// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "weft/core/tensor.h"

namespace weft {

struct GradcheckOptions {
  double eps = 1e-6;
  double atol = 1e-5;
  double rtol = 1e-3;
  /// Elements of each input that are checked, spread evenly; 0 = all.
  std::int64_t max_elements = 0;
  std::uint64_t seed = 0;  ///< of the weights of the outputs
};

struct GradcheckReport {
  bool ok = true;
  double worst = 0;     ///< largest |numeric - analytic| / (atol + rtol |numeric|)
  std::string message;  ///< the first mismatch: input, element, both values
};

/// Compares the gradients of `fn` with central differences, (f(x + eps) - f(x - eps)) / 2 eps, at
/// `inputs`: f64 on the CPU; those that require grad are checked. The analytic gradient is computed
/// twice and must repeat bit for bit. Throws Error(dtype) on other inputs.
WEFT_API GradcheckReport
gradcheck(const std::function<std::vector<Tensor>(std::span<const Tensor>)>& fn,
          std::span<const Tensor> inputs, const GradcheckOptions& options = {});

}  // namespace weft
