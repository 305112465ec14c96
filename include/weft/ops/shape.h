// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <span>

#include "weft/core/tensor.h"

namespace weft {

/// `x` repeated along dimensions of extent 1 and new leading ones, copied. Any dtype. `x` itself
/// when it has that shape. Throws Error(shape).
WEFT_API Tensor broadcast_to(const Tensor& x, const Shape& shape);

/// `xs` one after the other along `dim` (negative from the end), copied. Any dtype, the same for
/// all; the other extents must be equal. Throws Error(shape | dtype | index).
WEFT_API Tensor concat(std::span<const Tensor> xs, std::int64_t dim = 0);
inline Tensor concat(std::initializer_list<Tensor> xs, std::int64_t dim = 0) {
  return concat(std::span<const Tensor>(xs.begin(), xs.size()), dim);
}

/// Elements [start, start + length) of `dim`, copied; of dimension 0, `slice` shares storage
/// instead. Any dtype. Throws Error(index).
WEFT_API Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length);

}  // namespace weft
