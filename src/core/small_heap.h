// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

#include "core/pool.h"
#include "core/small_alloc.h"

namespace weft {

/// The central lists behind small_alloc.h: slabs of equal blocks, cut on demand, bought from the
/// CPU's pool so that the budget covers them. Lock order: Pool, then SmallHeap; the heap calls the
/// pool only with its own lock released.
class SmallHeap {
 public:
  static SmallHeap& instance();

  /// Moves blocks into the calling thread's cache and returns one. Throws Error(memory).
  void* take(std::size_t payload, OwnerId owner);
  /// Brings the calling thread's cache down to `target` bytes.
  void flush(SmallCache& cache, std::size_t target) noexcept;
  /// Ends the calling thread's part: everything goes back, later frees go through at once.
  void leave(SmallCache& cache) noexcept;

  /// Passes wholly free slabs to `release(data, bytes)`, which gives them back to the system.
  void trim(const std::function<void(void*, std::size_t)>& release);

  /// Bytes in use by callers, exact while no thread allocates.
  std::size_t live();
  /// `live` when a cache was last filled or emptied.
  std::size_t sampled_live() const noexcept { return sample_.load(std::memory_order_relaxed); }
  std::uint64_t served();
  void add_owners(std::map<OwnerId, OwnerAccount>& owners);

 private:
  void enter(SmallCache& cache);
  void refill(SmallCache& cache, unsigned size_class);
  void add_slab(unsigned size_class, void* memory, std::size_t bytes);
  void* pop_block(unsigned size_class) noexcept;
  void push_block(void* block) noexcept;
  std::size_t live_locked() const noexcept;

  std::mutex mutex_;
  Slab* slabs_ = nullptr;
  Slab* available_[kSmallClassCount] = {};
  SmallCache* caches_ = nullptr;
  std::size_t handed_out_ = 0;
  std::uint64_t served_by_ended_threads_ = 0;
  std::atomic<std::size_t> sample_{0};
};

}  // namespace weft
