// SPDX-License-Identifier: Apache-2.0
#include "weft/op/observer.h"

#include <cstdio>
#include <mutex>
#include <set>
#include <utility>

#include "core/thread_state.h"
#include "op/fallback.h"
#include "op/recorder.h"
#include "weft/op/recording.h"

namespace weft {

Observer::~Observer() = default;

ObserverScope::ObserverScope(Observer& observer)
    : observer_(&observer), session_(&current_session()) {
  session_->add_observer(observer_);
}
ObserverScope::~ObserverScope() { session_->remove_observer(observer_); }

RecorderScope::RecorderScope(StepRecorder& recorder)
    : saved_(std::exchange(thread_state.recorder, &recorder)) {}
RecorderScope::~RecorderScope() { thread_state.recorder = saved_; }

void note_leaf(LeafGrad& leaf) {
  if (thread_state.recorder != nullptr) thread_state.recorder->leaf(leaf);
}

VariantPin::VariantPin(const char* variant, bool required)
    : saved_(std::exchange(thread_state.pinned_variant, variant)),
      saved_required_(std::exchange(thread_state.pin_required, required)) {}
VariantPin::~VariantPin() {
  thread_state.pinned_variant = saved_;
  thread_state.pin_required = saved_required_;
}

void host_action(const std::function<void()>& action, const std::function<void()>& resend) {
  StepRecorder* const recorder = std::exchange(thread_state.recorder, nullptr);
  struct Resume {
    StepRecorder* recorder;
    ~Resume() { thread_state.recorder = recorder; }
  };
  {
    // What the action writes on the host is written again before each replay, so it is no refusal.
    const Resume resume{recorder};
    action();
  }
  if (recorder != nullptr) recorder->host_action(action, resend);
}

bool is_recording() noexcept { return thread_state.recorder != nullptr; }

namespace {

struct Fallbacks {
  std::mutex mutex;
  std::map<std::string, std::uint64_t> counts;
};

Fallbacks& fallbacks() {
  static Fallbacks instance;
  return instance;
}

}  // namespace

void count_fallback(const OpEntry& op) {
  Fallbacks& all = fallbacks();
  const std::lock_guard lock(all.mutex);
  ++all.counts[std::string(op.name())];
}

std::map<std::string, std::uint64_t> fallback_counts() {
  Fallbacks& all = fallbacks();
  const std::lock_guard lock(all.mutex);
  return all.counts;
}

void warn_once(const std::string& message) {
  static std::mutex mutex;
  static std::set<std::string> seen;
  const std::lock_guard lock(mutex);
  if (seen.insert(message).second) std::fprintf(stderr, "warning: %s\n", message.c_str());
}

}  // namespace weft
