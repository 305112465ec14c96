// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "weft/base/export.h"

namespace weft {

/// Runs `action` now and, when a step is being recorded on this thread, again before each replay of
/// it: for what the host must do in every step (write the learning rate where the step will read
/// it, count the iteration). It may enqueue copies; kernels that it runs are not recorded. `resend`
/// repeats what the action sent to the device and nothing else (no counting): a comparison of
/// replay and eager runs it after it has put the device's state back.
WEFT_API void host_action(const std::function<void()>& action,
                          const std::function<void()>& resend = {});

/// True while a step is being recorded on this thread.
WEFT_API bool is_recording() noexcept;

}  // namespace weft
