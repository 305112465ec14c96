// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::nn {

inline void require_at_least(std::string_view layer, std::string_view argument, std::int64_t given,
                             std::int64_t needed) {
  if (given >= needed) return;
  throw Error(ErrorKind::value,
              cat(layer, ": ", argument, " is ", given, " but must be at least ", needed));
}

}  // namespace weft::nn
