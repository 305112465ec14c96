// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace weft {

/// While it lives, SIGINT and SIGTERM call `stop` (in the handler) instead of ending the process; a
/// second one leaves at once.
class SignalScope {
 public:
  SignalScope(void (*stop)(void*), void* context);
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;
};

/// 0, or the signal that arrived.
int interrupting_signal();
/// What the program then exits with: 130 or 143.
int interrupted_exit_code();

}  // namespace weft
