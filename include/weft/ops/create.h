// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/core/tensor.h"

namespace weft {

/// New tensors filled with one value. dtype and device come from the current Context unless given.
/// Throws Error(memory | device).
WEFT_API Tensor full(const Shape& shape, double value, TensorOptions options = {});
WEFT_API Tensor zeros(const Shape& shape, TensorOptions options = {});
WEFT_API Tensor ones(const Shape& shape, TensorOptions options = {});
/// With the shape, dtype and device of `x`.
WEFT_API Tensor zeros_like(const Tensor& x);
WEFT_API Tensor ones_like(const Tensor& x);

/// [0, count) as i64 unless a dtype is given. Throws Error(value) on a negative count.
WEFT_API Tensor arange(std::int64_t count, TensorOptions options = {});
/// start, start + step, ... below `end` (above it when step is negative), each as start + i * step.
/// Throws Error(value) when step is 0 or leads away from `end`.
WEFT_API Tensor arange(double start, double end, double step = 1, TensorOptions options = {});

/// Uniform on [0, 1) and standard normal, drawn from the session's generator (ops/random.h).
/// Floating dtypes.
WEFT_API Tensor rand(const Shape& shape, TensorOptions options = {});
WEFT_API Tensor randn(const Shape& shape, TensorOptions options = {});

}  // namespace weft
