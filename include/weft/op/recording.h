// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "weft/base/export.h"

namespace weft {

/// Runs `action` now and, when a step is being recorded on this thread, again before each replay of it:
/// for what the host must do in every step (write the learning rate where the step will read it, count
/// the iteration). It must not run ops.
WEFT_API void host_action(std::function<void()> action);

/// True while a step is being recorded on this thread.
WEFT_API bool is_recording() noexcept;

}  // namespace weft
