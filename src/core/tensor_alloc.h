// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "core/small_alloc.h"
#include "weft/core/tensor.h"

/// How tensors are made: one small block [TensorImpl | Storage | data], or [TensorImpl | Storage]
/// with the data in the device's pool. The block lives as long as its Storage; the TensorImpl holds
/// a count on it even when `rebind` has given it another storage.
namespace weft {

struct PoolBlock;

namespace detail {

/// Blocks start 16 past a multiple of 64 and data starts on one.
inline constexpr std::size_t kEmbeddedData =
    (kSmallHeaderBytes + sizeof(TensorImpl) + sizeof(Storage) + 63) / 64 * 64 - kSmallHeaderBytes;
inline constexpr std::size_t kMaxEmbeddedBytes = kSmallMaxPayload - kEmbeddedData;

Ref<TensorImpl> new_tensor_slow(const Shape& shape, DType dtype, Device device);

/// `x`, a new tensor, as a leaf that wants a gradient. Throws Error(dtype) naming `op`.
Tensor wanting_grad(Tensor x, std::string_view op);

}  // namespace detail

inline Storage* embedded_storage_of(TensorImpl* impl) noexcept {
  return reinterpret_cast<Storage*>(impl + 1);
}
inline TensorImpl* impl_of_embedded(Storage* storage) noexcept {
  return reinterpret_cast<TensorImpl*>(storage) - 1;
}

namespace detail {

/// The tensor in `block`, a small block of kEmbeddedData + `bytes`.
inline Ref<TensorImpl> embed(void* block, const Shape& shape, DType dtype, std::size_t bytes,
                             OwnerId owner) noexcept {
  auto* data = static_cast<std::byte*>(block) + kEmbeddedData;
  auto* impl =
      new (block) TensorImpl{.dtype = dtype, .embeds_storage = true, .data = data, .shape = shape};
  impl->storage = new (embedded_storage_of(impl)) Storage{.data = data,
                                                          .bytes = bytes,
                                                          .owner = owner,
                                                          .device = Device(),
                                                          .kind = Storage::Kind::inline_block,
                                                          .flags = Storage::kEmbedded};
  return Ref<TensorImpl>::adopt(impl);
}

}  // namespace detail

/// Uninitialised, on the current stream of `device`. Throws Error(memory | device | value).
inline Ref<TensorImpl> new_tensor(const Shape& shape, DType dtype, Device device) {
  // One comparison for size and overflow: so many elements fit whatever the dtype.
  const auto count = static_cast<std::size_t>(shape.numel());
  if (count <= detail::kMaxEmbeddedBytes / 8 && device == Device() && thread_state.arena == nullptr)
      [[likely]] {
    const std::size_t bytes = count * size_of(dtype);
    const OwnerId owner = thread_state.owner();
    if (void* block = try_small_alloc(detail::kEmbeddedData + bytes, owner)) [[likely]] {
      return detail::embed(block, shape, dtype, bytes, owner);
    }
  }
  return detail::new_tensor_slow(shape, dtype, device);
}

/// A second handle on bytes of `base`'s storage.
inline Ref<TensorImpl> new_view(TensorImpl* base, std::byte* data, const Shape& shape) {
  auto* impl = new (small_alloc(sizeof(TensorImpl), thread_state.owner()))
      TensorImpl{.dtype = base->dtype, .storage = base->storage, .data = data, .shape = shape};
  base->storage->retain();
  return Ref<TensorImpl>::adopt(impl);
}

/// A tensor over `storage`, which need not be that of a tensor. Nothing is checked.
Ref<TensorImpl> new_tensor_over(StorageRef storage, std::byte* data, const Shape& shape,
                                DType dtype);

/// Gives `impl` other bytes of the same count and dtype: every handle sees them. Its version
/// continues, so that saved tensors notice.
void rebind(TensorImpl& impl, StorageRef storage, std::byte* data) noexcept;

/// From the pool of `device`, for the current stream and the active private pool.
PoolBlock* allocate_pooled(std::size_t bytes, Device device);

}  // namespace weft
