// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "weft/base/device.h"
#include "weft/core/refcount.h"

namespace weft {

class Pool;

/// Who an allocation is for: an op id (low 16 bits) and a module path id (high 16 bits).
using OwnerId = std::uint32_t;

/// A run of bytes on one device. Tensors share it; `version` counts in-place writes, so that
/// autograd notices a saved tensor that was edited.
struct Storage {
  /// kEmbedded: lies in one block with the TensorImpl that was made with it.
  enum Flag : std::uint8_t { kReadOnly = 1, kShared = 2, kEmbedded = 4 };
  enum class Kind : std::uint8_t { pool, inline_block, borrowed, slice };

  std::byte* data = nullptr;
  std::size_t bytes = 0;
  std::atomic<std::uint32_t> refs{1};
  std::uint32_t version = 0;
  OwnerId owner = 0;
  Device device;
  Kind kind = Kind::pool;
  std::uint8_t flags = 0;
  /// pool: the pool's block; borrowed: the deleter and origin; slice: the parent storage.
  void* source = nullptr;

  void retain() noexcept { refs.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (refs.load(std::memory_order_acquire) == 1 ||
        refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      destroy(this);
    }
  }
  bool read_only() const noexcept { return (flags & kReadOnly) != 0; }
  bool shared() const noexcept { return (flags & kShared) != 0; }

  WEFT_API static void destroy(Storage* storage) noexcept;
};

using StorageRef = Ref<Storage>;

/// `bytes` from the pool of `device`. Throws Error(memory), Error(device).
WEFT_API StorageRef make_storage(std::size_t bytes, Device device);

/// Memory that somebody else owns: a mapped file, a span, a DLPack tensor. `origin` names it in
/// errors (`model.safetensors`); `release` runs when the last tensor lets go.
WEFT_API StorageRef borrow_storage(void* data, std::size_t bytes, Device device, std::uint8_t flags,
                                   std::string origin, std::function<void()> release);

/// [offset, offset + bytes) of `parent`, which it keeps alive. `offset` must be a multiple of 64.
/// Has its own version and owner. Throws Error(value).
WEFT_API StorageRef slice_storage(const StorageRef& parent, std::size_t offset, std::size_t bytes);

/// Throws Error(state) naming the origin when `storage` is read-only.
WEFT_API void require_writable(const Storage& storage, std::string_view op);

}  // namespace weft
