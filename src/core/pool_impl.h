// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/pool.h"
#include "core/pool_arena.h"

namespace weft {

/// The workings of a Pool. Every function expects `mutex` to be held.
struct Pool::Impl {
  Impl(Backend& b, Device d) : backend(b), device(d), is_host(b.is_host()) { common.device = d; }

  Backend& backend;
  Device device;
  bool is_host;
  std::mutex mutex;
  PoolArena common;
  std::vector<std::unique_ptr<PoolArena>> arenas;
  std::vector<PoolBlock*> retired;
  PoolBlock* spare = nullptr;  ///< records for reuse, linked by bin_after
  std::size_t obtained = 0;
  std::size_t budget = 0;
  std::uint64_t requests = 0;
  std::uint64_t system_requests = 0;
  std::uint64_t fail_after = 0;
  std::atomic<std::size_t> live{0};
  std::atomic<std::size_t> peak{0};

  PoolBlock* new_block();
  void delete_block(PoolBlock* block) noexcept;
  void poison_block(const PoolBlock* block) const noexcept;
  void unpoison_block(const PoolBlock* block, std::size_t bytes) const noexcept;

  PoolBlock* take_free(PoolArena& arena, StreamLists& lists, SizedRequest request);
  PoolBlock* adopt_from_other_stream(PoolArena& arena, StreamLists& lists, SizedRequest request);
  PoolBlock* new_segment(PoolArena& arena, StreamLists& lists, SizedRequest request);
  PoolBlock* take_and_split(PoolArena& arena, StreamLists& lists, SizedRequest request);
  void split(PoolBlock* block, SizedRequest request);
  void let_rest(PoolBlock* block) noexcept;
  void insert_free(PoolBlock* block) noexcept;
  void merge_resting(StreamLists& lists) noexcept;
  void absorb_next(PoolBlock* block) noexcept;
  void drop_events(PoolBlock* block) noexcept;
  void reclaim_retired(bool wait) noexcept;

  void* system_allocate(std::size_t bytes);
  void system_free(void* data, std::size_t bytes) noexcept;
  std::size_t trim();
  void move_segments(PoolArena& from, PoolArena& to);
  void rehome(PoolArena& arena, Stream stream, Stream heir);

  std::size_t small_live() const;
  std::vector<memory::OwnerBytes> owners();
  [[noreturn]] void throw_exhausted(std::size_t wanted, bool injected);
  void count_towards_failure(std::size_t bytes);
};

}  // namespace weft
