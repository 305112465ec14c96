// SPDX-License-Identifier: Apache-2.0
#include "run/signals.h"

#include <unistd.h>
#include <csignal>

namespace weft {
namespace {

volatile std::sig_atomic_t g_signal = 0;
void (*g_stop)(void*) = nullptr;
void* g_context = nullptr;
struct sigaction g_previous[2];
constexpr int kSignals[2] = {SIGINT, SIGTERM};

// _exit: no destructor runs, so no file is half written over; files in progress keep temporary
// names.
void on_signal(int signal) {
  if (g_signal != 0) _exit(128 + signal);
  g_signal = signal;
  g_stop(g_context);
}

}  // namespace

SignalScope::SignalScope(void (*stop)(void*), void* context) {
  g_signal = 0;
  g_stop = stop;
  g_context = context;
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &action, &g_previous[i]);
}

SignalScope::~SignalScope() {
  for (int i = 0; i < 2; ++i) sigaction(kSignals[i], &g_previous[i], nullptr);
}

int interrupting_signal() { return static_cast<int>(g_signal); }
int interrupted_exit_code() { return 128 + static_cast<int>(g_signal); }

}  // namespace weft
