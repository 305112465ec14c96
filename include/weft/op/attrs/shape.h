// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

/// `broadcast_to(x) -> y`: y has this shape.
struct BroadcastToAttrs {
  Dims shape;
  WEFT_FIELDS(BroadcastToAttrs, shape)
};

/// `concat(xs*) -> y`
struct ConcatAttrs {
  std::int64_t dim = 0;
  WEFT_FIELDS(ConcatAttrs, dim)
};

/// `narrow(x) -> y`: [start, start + length) of `dim`.
struct NarrowAttrs {
  std::int64_t dim = 0;
  std::int64_t start = 0;
  std::int64_t length = 0;
  WEFT_FIELDS(NarrowAttrs, dim, start, length)
};

/// `narrow_grad(g) -> dx`: g stands from `start` on in zeros with `extent` along `dim`.
struct NarrowGradAttrs {
  std::int64_t dim = 0;
  std::int64_t start = 0;
  std::int64_t extent = 0;
  WEFT_FIELDS(NarrowGradAttrs, dim, start, extent)
};

}  // namespace weft
