// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/base/export.h"

namespace weft {

/// Threads that CPU kernels may use, the caller included; 0 restores the default (all that the
/// process may run on). Results do not depend on it. Throws Error(value) outside [0, 1024].
WEFT_API void set_num_threads(int count);
WEFT_API int num_threads();

}  // namespace weft
