// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/config.h"
#include "run/problems.h"

namespace weft {

/// What no single key can tell: keys that exclude or need each other, sums, names that must be
/// known or unique.
void check_config(const Config& config, Problems& problems);

}  // namespace weft
