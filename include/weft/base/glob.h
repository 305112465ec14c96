// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "weft/base/export.h"

namespace weft {

/// Whether all of `text` fits `pattern`: `*` stands for any run of characters (dots too), `?` for
/// one, everything else for itself. `encoder.*`, `*.bias`, `p?`.
WEFT_API bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace weft
