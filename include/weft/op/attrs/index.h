// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

struct EmbeddingAttrs {
  std::int64_t padding_index = -1;
  WEFT_FIELDS(EmbeddingAttrs, padding_index)
};

}  // namespace weft
