// SPDX-License-Identifier: Apache-2.0
#include "run/signals.h"

#include <unistd.h>
#include <csignal>
#include <iterator>

namespace weft {
namespace {

volatile std::sig_atomic_t g_signal = 0;
void (*g_stop)(void*) = nullptr;
void* g_context = nullptr;
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
struct sigaction g_previous[std::size(kSignals)];

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
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], &action, &g_previous[i]);
    // What the parent had ignored (nohup, a background job) stays ignored.
    if (g_previous[i].sa_handler == SIG_IGN) sigaction(kSignals[i], &g_previous[i], nullptr);
  }
}

SignalScope::~SignalScope() {
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], &g_previous[i], nullptr);
  }
}

int interrupting_signal() { return static_cast<int>(g_signal); }
int interrupted_exit_code() { return 128 + static_cast<int>(g_signal); }

}  // namespace weft
