// SPDX-License-Identifier: Apache-2.0
#include "weft/core/storage.h"

#include <functional>
#include <utility>

#include "core/pool.h"
#include "core/small_alloc.h"
#include "core/tensor_alloc.h"
#include "weft/base/checked.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {

namespace {

struct Borrowed {
  std::string origin;
  std::function<void()> release;
};

Storage* new_header(std::size_t trailing_bytes = 0) {
  void* block = small_alloc(sizeof(Storage) + trailing_bytes, thread_state.owner());
  auto* storage = new (block) Storage;
  storage->owner = thread_state.owner();
  return storage;
}

// From the end of a standalone Storage to the next multiple of 64: blocks start 16 past one.
constexpr std::size_t kInlinePadding = 64 - (kSmallHeaderBytes + sizeof(Storage)) % 64;

void let_go(Storage* storage) noexcept {
  switch (storage->kind) {
    case Storage::Kind::inline_block:
      break;
    case Storage::Kind::pool:
      pool_of(storage->device).free(static_cast<PoolBlock*>(storage->source));
      break;
    case Storage::Kind::slice:
      static_cast<Storage*>(storage->source)->release();
      break;
    case Storage::Kind::borrowed: {
      const std::unique_ptr<Borrowed> borrowed(static_cast<Borrowed*>(storage->source));
      if (borrowed->release) borrowed->release();
      break;
    }
  }
}

const std::string& origin_of(const Storage& storage) {
  static const std::string none;
  const Storage* at = &storage;
  while (at->kind == Storage::Kind::slice) at = static_cast<const Storage*>(at->source);
  return at->kind == Storage::Kind::borrowed ? static_cast<Borrowed*>(at->source)->origin : none;
}

}  // namespace

void Storage::destroy(Storage* storage) noexcept {
  let_go(storage);
  void* block = storage;
  if ((storage->flags & kEmbedded) != 0) block = impl_of_embedded(storage);
  small_free(block);
}

StorageRef make_storage(std::size_t bytes, Device device) {
  if (device.is_cpu() && device.index == 0 && thread_state.arena == nullptr &&
      bytes <= kSmallMaxPayload - sizeof(Storage) - kInlinePadding) {
    Storage* storage = new_header(kInlinePadding + bytes);
    storage->data = reinterpret_cast<std::byte*>(storage + 1) + kInlinePadding;
    storage->bytes = bytes;
    storage->device = device;
    storage->kind = Storage::Kind::inline_block;
    return StorageRef::adopt(storage);
  }
  PoolBlock* block = allocate_pooled(bytes, device);
  Storage* storage = nullptr;
  try {
    storage = new_header();
  } catch (...) {
    pool_of(device).free(block);
    throw;
  }
  storage->data = block->data;
  storage->bytes = bytes;
  storage->device = device;
  storage->source = block;
  return StorageRef::adopt(storage);
}

StorageRef borrow_storage(void* data, std::size_t bytes, Device device, std::uint8_t flags,
                          std::string origin, std::function<void()> release) {
  require_device(device);
  auto borrowed = std::make_unique<Borrowed>();
  borrowed->origin = std::move(origin);
  borrowed->release = std::move(release);
  Storage* storage = new_header();
  storage->data = static_cast<std::byte*>(data);
  storage->bytes = bytes;
  storage->device = device;
  storage->kind = Storage::Kind::borrowed;
  storage->flags = flags & (Storage::kReadOnly | Storage::kShared);
  storage->source = borrowed.release();
  return StorageRef::adopt(storage);
}

StorageRef slice_storage(const StorageRef& parent, std::size_t offset, std::size_t bytes) {
  if (!range_fits(offset, bytes, parent->bytes)) {
    throw Error(ErrorKind::value,
                cat("slice_storage: bytes [", offset, ", ", offset, "+", bytes,
                    ") do not lie within a storage of ", parent->bytes, " bytes"));
  }
  if (offset % 64 != 0) {
    throw Error(ErrorKind::value,
                cat("slice_storage: offset is ", offset, ", must be a multiple of 64"));
  }
  Storage* storage = new_header();
  storage->data = parent->data + offset;
  storage->bytes = bytes;
  storage->device = parent->device;
  storage->kind = Storage::Kind::slice;
  storage->flags = parent->flags & (Storage::kReadOnly | Storage::kShared);
  storage->source = StorageRef(parent).leak();
  return StorageRef::adopt(storage);
}

void require_writable(const Storage& storage, std::string_view op) {
  if (!storage.read_only()) [[likely]]
    return;
  const std::string& origin = origin_of(storage);
  throw Error(ErrorKind::state,
              cat(op, ": the target is read-only memory", origin.empty() ? "" : " of ", origin,
                  ", must be writable"),
              "write to a clone() of it");
}

}  // namespace weft
