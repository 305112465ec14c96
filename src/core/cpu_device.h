// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/core/backend.h"

namespace weft {

/// The host as a device: one, always there; everything is done when a call returns.
Backend& cpu_backend();

}  // namespace weft
