// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/base/device.h"

namespace weft {

/// Loads the library of a device kind when there is one, or says why not through `set_absence`. The
/// op layer defines it (op/plugin.cpp); called once per kind, by the first look-up of its backend.
void load_backend_library(DeviceKind kind);

}  // namespace weft
