// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/core/backend.h"

namespace weft {

/// `backend.synchronize(stream)`, counted by `host_waits` unless the device is the host itself.
void wait_for(Backend& backend, Stream stream);

}  // namespace weft
