// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/core/tensor.h"

namespace weft {

/// A copy of `x` on `device`, by a stream-ordered copy; copies to the host wait. Not recorded by
/// the tape.
Tensor transfer(const Tensor& x, Device device);
/// Overwrites `target` with `source` of the same shape and dtype from another device; bumps its
/// version.
void transfer_into(const Tensor& target, const Tensor& source);
/// target = source, or target += source, on one device; converts the dtype.
void copy_into(const Tensor& target, const Tensor& source, bool add);
/// Every element becomes `value`.
void fill_tensor(const Tensor& target, double value);

}  // namespace weft
