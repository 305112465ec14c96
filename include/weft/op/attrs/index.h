// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

struct EmbeddingAttrs {
  std::int64_t padding_index = -1;
  WEFT_FIELDS(EmbeddingAttrs, padding_index)
};

struct EmbeddingGradAttrs {
  std::int64_t padding_index = -1;
  std::int64_t rows = 0;  ///< of the weight
  WEFT_FIELDS(EmbeddingGradAttrs, padding_index, rows)
};

}  // namespace weft
