// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "weft/core/context.h"
#include "weft/core/storage.h"

namespace weft {

struct PoolArena;
class StepRecorder;

inline constexpr std::size_t kSmallClassCount = 36;

/// Free small blocks that one thread keeps for itself (core/small_alloc.h).
struct SmallCache {
  void* heads[kSmallClassCount] = {};
  /// Bytes in `heads`, and blocks handed to this thread's callers. Written by the owning thread
  /// alone, read by reports of others.
  std::atomic<std::size_t> held{0};
  std::atomic<std::uint64_t> served{0};
  /// More than this goes back to the central lists; 0 before the thread is known and after its end.
  std::size_t limit = 0;
  SmallCache* next = nullptr;  ///< known caches
  bool known = false;
  bool ended = false;
};

/// All thread-local state of the library. Trivially destructible, so that destructors of other
/// thread-local objects may still free tensors at thread exit.
struct ThreadState {
  Settings settings;
  std::uint8_t depth = 0;  ///< nesting of composite ops
  bool in_backward = false;
  std::uint16_t op = 0;        ///< op that runs; 0 for none. Next to path: `owner` is one load
  std::uint16_t path = 0;      ///< module that runs (intern_path)
  std::uint64_t sequence = 0;  ///< order of tape nodes
  Session* session = nullptr;  ///< nullptr: the default session
  PoolArena* arena = nullptr;  ///< the active private pool (core/pool.h)
  StepRecorder* recorder = nullptr;      ///< follows this thread's step (op/recorder.h)
  const char* pinned_variant = nullptr;  ///< kernel variant to run (op/recorder.h)
  bool pin_required = false;
  SmallCache cache;

  OwnerId owner() const noexcept { return (std::uint32_t{path} << 16) | op; }
};
static_assert(std::is_trivially_destructible_v<ThreadState>);
// With the initial-exec model it must fit what the loader reserves for libraries loaded later.
static_assert(sizeof(ThreadState) <= 512);

extern constinit thread_local ThreadState thread_state
    __attribute__((visibility("hidden"), tls_model("initial-exec")));

}  // namespace weft
