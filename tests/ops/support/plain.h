// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "weft/base/shape.h"

/// Index arithmetic for references, done the slow way.
namespace weft::test {

/// The index in a tensor of shape `x` that is read at element `i` of a result of shape `y`, to
/// which x broadcasts.
inline std::size_t broadcast_index(std::int64_t i, const Shape& y, const Shape& x) {
  std::int64_t at = 0;
  std::int64_t step = 1;
  for (int back = 1; back <= x.rank(); ++back) {
    const std::int64_t extent = y[y.rank() - back];
    const std::int64_t own = x[x.rank() - back];
    at += (own == 1 ? 0 : i % extent) * step;
    step *= own;
    i /= extent;
  }
  return static_cast<std::size_t>(at);
}

}  // namespace weft::test
