// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/core/tensor.h"
#include "weft/op/attrs/matmul.h"

namespace weft {

struct MatmulOptions {
  bool transpose_a = false;  ///< a is [.., K, M]
  bool transpose_b = false;  ///< b is [.., N, K]
};

/// Matrix product of `a` [.., M, K] and `b` [.., K, N], giving [.., M, N]. Leading dimensions
/// broadcast; a `b` of two dimensions is shared by the whole batch and multiplied at once. Halves
/// accumulate in f32. Throws Error(shape) on fewer than two dimensions, inner dimensions that
/// differ or leading ones that do not broadcast, Error(dtype) on integers.
WEFT_API Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options = {});

struct LinearOptions {
  Activation activation = Activation::none;
};

/// activation(x · weightᵀ + bias) of `x` [.., in], `weight` [out, in] and `bias` [out], giving [..,
/// out]. Bias and activation are applied to the f32 sums before they are rounded to a half. For its
/// gradient relu keeps the result, gelu the value before it. Throws Error(shape) when the last
/// dimension of x is not `in` or bias has not `out` elements, Error(dtype) on integers.
WEFT_API Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                       const LinearOptions& options = {});

}  // namespace weft
