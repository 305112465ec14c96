// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/core/tensor.h"

/// Draws from the session's counter-based generator (`set_seed`): the same bits for a seed on every
/// device and for any number of threads. Element e of a draw depends on seed, op, draw and e alone.
namespace weft {

struct DropoutOptions {
  double p = 0.5;  ///< probability that an element becomes 0
  bool training = true;
};
/// Zeroes elements with probability p and divides the others by 1 - p (Srivastava et al. 2014);
/// returns `x` itself when not training or p = 0. Saves nothing: the gradient draws the same mask
/// again. Floating dtypes. Throws Error(value) unless 0 <= p <= 1.
WEFT_API Tensor dropout(const Tensor& x, DropoutOptions options = {});

/// Overwrites `x`, floating, and returns it. 24 random bits an element; halves round afterwards.
/// [low, high). Throws Error(value) unless low < high, both finite.
WEFT_API Tensor& uniform_(Tensor& x, double low = 0, double high = 1);
/// Box & Muller 1958. Throws Error(value) unless std > 0.
WEFT_API Tensor& normal_(Tensor& x, double mean = 0, double std = 1);
/// A normal distribution cut to [low, high], by the inverse of its distribution function. Throws
/// Error(value) unless std > 0, low < high and the interval holds at least 1e-3 of the
/// distribution.
WEFT_API Tensor& truncated_normal_(Tensor& x, double mean, double std, double low, double high);

}  // namespace weft
