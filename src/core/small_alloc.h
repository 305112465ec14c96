// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/poison.h"
#include "core/thread_state.h"
#include "weft/core/storage.h"

/// Host blocks of at most 32 KiB. A thread takes and returns them without a lock; what it does not
/// keep lies in central lists (small_heap.h). A block may be freed on any thread.
namespace weft {

struct Slab;

/// In front of each block. Owner and live are atomic because reports read them while other threads
/// allocate; a report may see a block between two owners.
struct SmallHeader {
  std::atomic<OwnerId> owner;
  std::atomic<bool> live;
  std::uint8_t size_class;
  Slab* slab;
};
inline constexpr std::size_t kSmallHeaderBytes = sizeof(SmallHeader);
static_assert(kSmallHeaderBytes == 16);

inline constexpr std::size_t kSmallLimit = 32768;
inline constexpr std::size_t kSmallMaxPayload = kSmallLimit - kSmallHeaderBytes;
inline constexpr std::size_t kThreadCacheLimit = std::size_t{1} << 20;

namespace detail {

// 64-byte steps to 1 KiB, then four steps an octave.
consteval std::array<std::uint32_t, kSmallClassCount> small_class_sizes() {
  std::array<std::uint32_t, kSmallClassCount> sizes{};
  for (std::uint32_t i = 0; i < 16; ++i) sizes[i] = 64 * (i + 1);
  for (std::uint32_t i = 16; i < kSmallClassCount; ++i) {
    sizes[i] = (1024u << ((i - 16) / 4)) / 4 * (5 + (i - 16) % 4);
  }
  return sizes;
}

}  // namespace detail

inline constexpr std::array<std::uint32_t, kSmallClassCount> kSmallSizes =
    detail::small_class_sizes();
static_assert(kSmallSizes.back() == kSmallLimit);

namespace detail {

consteval std::array<std::uint8_t, kSmallLimit / 64 + 1> small_class_index() {
  std::array<std::uint8_t, kSmallLimit / 64 + 1> index{};
  std::uint8_t size_class = 0;
  for (std::size_t units = 0; units < index.size(); ++units) {
    while (kSmallSizes[size_class] < units * 64) ++size_class;
    index[units] = size_class;
  }
  return index;
}

inline constexpr std::array<std::uint8_t, kSmallLimit / 64 + 1> kSmallIndex = small_class_index();

/// Set while an allocation of the CPU is to fail (memory::fail_allocation): no fast path then.
extern std::atomic<bool> small_failure_armed __attribute__((visibility("hidden")));

// All but the link to the next free block.
inline void poison_free(void* block, std::size_t size_class) noexcept {
  poison(static_cast<std::byte*>(block) + sizeof(void*),
         kSmallSizes[size_class] - kSmallHeaderBytes - sizeof(void*));
}

void* small_alloc_slow(std::size_t payload, OwnerId owner);
void small_free_slow() noexcept;

}  // namespace detail

/// The class of a block with `payload` bytes, at most kSmallMaxPayload.
inline unsigned small_class(std::size_t payload) noexcept {
  return detail::kSmallIndex[(payload + kSmallHeaderBytes + 63) / 64];
}

/// From the thread's cache, or nullptr when that takes more.
inline void* try_small_alloc(std::size_t payload, OwnerId owner) noexcept {
  SmallCache& cache = thread_state.cache;
  const unsigned size_class = small_class(payload);
  void* block = cache.heads[size_class];
  if (block == nullptr || detail::small_failure_armed.load(std::memory_order_relaxed))
      [[unlikely]] {
    return nullptr;
  }
  unpoison(block, payload);
  cache.heads[size_class] = *static_cast<void**>(block);
  constexpr auto relaxed = std::memory_order_relaxed;
  cache.held.store(cache.held.load(relaxed) - kSmallSizes[size_class], relaxed);
  cache.served.store(cache.served.load(relaxed) + 1, relaxed);
  auto* header = static_cast<SmallHeader*>(block) - 1;
  header->owner.store(owner, relaxed);
  header->live.store(true, relaxed);
  return block;
}

/// `payload` bytes, at most kSmallMaxPayload; the address is 16 past a multiple of 64.
/// Throws Error(memory).
inline void* small_alloc(std::size_t payload, OwnerId owner) {
  if (void* block = try_small_alloc(payload, owner)) [[likely]]
    return block;
  return detail::small_alloc_slow(payload, owner);
}

inline void small_free(void* block) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  auto* header = static_cast<SmallHeader*>(block) - 1;
  const std::size_t size_class = header->size_class;
  header->live.store(false, relaxed);
  SmallCache& cache = thread_state.cache;
  *static_cast<void**>(block) = cache.heads[size_class];
  cache.heads[size_class] = block;
  detail::poison_free(block, size_class);
  const std::size_t held = cache.held.load(relaxed) + kSmallSizes[size_class];
  cache.held.store(held, relaxed);
  if (held > cache.limit) [[unlikely]]
    detail::small_free_slow();
}

}  // namespace weft
