// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

/// `reshape(x) -> y`: one extent may be -1.
struct ReshapeAttrs {
  Dims shape;
  WEFT_FIELDS(ReshapeAttrs, shape)
};

/// `slice_rows(x) -> y`: rows [begin, end) of dimension 0.
struct SliceRowsAttrs {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  WEFT_FIELDS(SliceRowsAttrs, begin, end)
};

/// `slice_rows_grad(g) -> dx`: g stands in rows [begin, begin + rows of g) of zeros, `rows` in all.
struct SliceRowsGradAttrs {
  std::int64_t begin = 0;
  std::int64_t rows = 0;
  WEFT_FIELDS(SliceRowsGradAttrs, begin, rows)
};

}  // namespace weft
