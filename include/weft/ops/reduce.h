// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/core/tensor.h"

namespace weft {

/// One dimension (`1`, `-1`) or several (`{0, 2}`); none means all.
class DimList : public Dims {
 public:
  DimList() = default;
  DimList(std::int64_t dim) : Dims({dim}) {}
  DimList(std::initializer_list<std::int64_t> dims) : Dims(dims) {}
  DimList(const Dims& dims) : Dims(dims) {}
};

struct ReduceOptions {
  DimList dim = {};
  bool keepdim = false;  ///< reduced dimensions stay, with extent 1
};

/// Sum and mean over some or all dimensions. Halves are summed in f32, long sums in blocks, so that
/// the error grows with log n and not with n; integers and bool sum to i64. The mean needs a
/// floating dtype; of nothing it is NaN. Throws Error(index) on a dimension that x lacks,
/// Error(value) on one given twice, Error(dtype).
WEFT_API Tensor sum(const Tensor& x, const ReduceOptions& options = {});
WEFT_API Tensor mean(const Tensor& x, const ReduceOptions& options = {});

/// `x` summed to `shape`, which must broadcast to the shape of x: what undoes broadcasting in
/// gradients. `x` itself when it has that shape. Throws Error(shape).
WEFT_API Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace weft
