// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "weft/core/backend.h"
#include "weft/core/memory.h"
#include "weft/core/storage.h"

namespace weft {

struct PoolArena;
struct PoolSegment;

struct OwnerAccount {
  std::size_t bytes = 0;
  std::size_t blocks = 0;
};

/// A run of bytes within a segment, free or in use. Kept outside the memory, which may be a
/// device's.
struct PoolBlock {
  std::byte* data = nullptr;
  std::size_t bytes = 0;
  PoolSegment* segment = nullptr;
  PoolBlock* before = nullptr;  ///< neighbours in the segment
  PoolBlock* after = nullptr;
  PoolBlock* bin_before = nullptr;  ///< neighbours in the free list
  PoolBlock* bin_after = nullptr;
  OwnerId owner = 0;
  /// retired: let go, but other streams have not passed it yet. resting: free, not merged yet.
  enum class State : std::uint8_t { used, retired, resting, free } state = State::used;
  /// Other streams that use the block; it is reusable when they have passed these events.
  std::vector<Stream> other_streams;
  std::vector<Event> events;
};

/// Caching allocator of one device over Backend::allocate. Best fit in segments of three sizes
/// (small, medium, own), split and merged; free blocks are reusable at once on the stream they were
/// made for. A block is merged with its neighbours only when a request finds none of its exact
/// size, so a step that repeats its requests neither splits nor merges. Thread-safe; one lock.
class Pool {
 public:
  Pool(Backend& backend, Device device);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// At least `bytes` for work on `stream`, from `arena` or, when null, from the common part.
  /// Throws Error(memory).
  PoolBlock* allocate(std::size_t bytes, Stream stream, OwnerId owner, PoolArena* arena = nullptr);
  void free(PoolBlock* block) noexcept;
  /// `stream` reads or writes `block` too: after `free` it waits for that stream.
  void used_on(PoolBlock* block, Stream stream);

  /// Gives up `stream`, which must have no capture running: waits for it, and what was cached for
  /// it becomes reusable on `heir`. To be called before a stream is destroyed.
  void retire_stream(Stream stream, Stream heir);

  memory::Report report();
  std::size_t live_bytes();
  std::size_t trim();
  void set_budget(std::size_t bytes);
  void reset_peak();
  void fail_allocation(std::uint64_t nth);

  /// Memory outside the blocks (slabs of small blocks), under the same budget. Throws
  /// Error(memory).
  void* obtain(std::size_t bytes);
  void give_back(void* data, std::size_t bytes) noexcept;
  /// Counts one request towards `fail_allocation`; throws Error(memory) when it is the one.
  void count_towards_failure(std::size_t bytes);
  /// Takes part in the highest use, if it is one. Lock-free.
  void note_peak() noexcept;

  Device device() const noexcept { return device_; }

 private:
  friend class PrivatePool;
  struct Impl;
  Device device_;
  std::unique_ptr<Impl> impl_;
};

/// True when `arena` is a private pool of `device`.
bool serves(const PoolArena& arena, Device device) noexcept;

/// The pool of `device`, made at first use. Throws Error(device) when the device does not exist.
Pool& pool_of(Device device);

/// Memory of its own for a captured step: what is allocated on this device while a Scope is active
/// on the thread comes from here, keeps its address for the pool's life and is never trimmed.
/// Blocks still in use when the pool ends stay valid.
class PrivatePool {
 public:
  explicit PrivatePool(Device device);
  ~PrivatePool();
  PrivatePool(const PrivatePool&) = delete;
  PrivatePool& operator=(const PrivatePool&) = delete;

  /// Bytes obtained from the system.
  std::size_t bytes() const;

  class Scope {
   public:
    explicit Scope(PrivatePool& pool) noexcept;
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    PoolArena* saved_;
  };

 private:
  Pool& pool_;
  PoolArena* arena_;
};

}  // namespace weft
