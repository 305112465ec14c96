// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "weft/base/device.h"
#include "weft/base/dtype.h"
#include "weft/base/shape.h"
#include "weft/core/storage.h"

namespace weft {

class Tensor;
class LeafGrad;

/// What a handle points to. Dense and row-major, always: `data` + `shape` say everything.
struct TensorImpl {
  std::atomic<std::uint32_t> refs{1};
  DType dtype = DType::f32;
  bool requires_grad = false;     ///< a leaf that wants a gradient, or the output of a node
  bool embeds_storage = false;    ///< storage and impl share one block
  std::uint8_t output_index = 0;  ///< which output of `node`
  Storage* storage = nullptr;
  std::byte* data = nullptr;
  RefCounted* node = nullptr;  ///< the tape node that made it (op/node.h)
  RefCounted* leaf = nullptr;  ///< a leaf's sink, hooks and derived copies (op/node.h)
  Shape shape;

  void retain() noexcept { refs.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (refs.load(std::memory_order_acquire) == 1 ||
        refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      destroy(this);
    }
  }
  WEFT_API static void destroy(TensorImpl* impl) noexcept;
};

/// Where and as what a new tensor is made; unset fields come from the current Context.
struct TensorOptions {
  std::optional<DType> dtype = {};
  std::optional<Device> device = {};
  bool requires_grad = false;
};

/// A handle to a dense, row-major array on one device. Copying a handle shares the array.
/// Reshapes and slices of the leading dimension share storage; every other view copies.
class WEFT_API Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) noexcept : impl_(std::move(impl)) {}

  /// A scalar, a list or a matrix of f32 from literal values: `Tensor::of({{1, 2}, {3, 4}})`.
  static Tensor of(double value, TensorOptions options = {});
  static Tensor of(std::initializer_list<double> values, TensorOptions options = {});
  static Tensor of(std::initializer_list<std::initializer_list<double>> rows,
                   TensorOptions options = {});
  /// A copy of `values` as a tensor of `shape` on the CPU (or `device`); its element count must
  /// match.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape, Device device = {}) {
    return from_bytes(std::as_bytes(values), shape, dtype_of<T>, device);
  }
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, Device device = {}) {
    return from(std::span<const T>(values), shape, device);
  }
  static Tensor from_bytes(std::span<const std::byte> bytes, const Shape& shape, DType dtype,
                           Device device = {});
  /// A tensor over `storage` from byte `offset`. Throws Error(value) when it does not fit.
  static Tensor over(StorageRef storage, std::size_t offset, const Shape& shape, DType dtype);

  bool defined() const noexcept { return static_cast<bool>(impl_); }
  explicit operator bool() const noexcept { return defined(); }
  const Shape& shape() const noexcept { return impl_->shape; }
  std::int64_t shape(int dim) const;  ///< extent of `dim`, negative from the end
  int rank() const noexcept { return impl_->shape.rank(); }
  std::int64_t numel() const noexcept { return impl_->shape.numel(); }
  DType dtype() const noexcept { return impl_->dtype; }
  Device device() const noexcept { return impl_->storage->device; }
  std::size_t nbytes() const noexcept {
    return static_cast<std::size_t>(numel()) * size_of(dtype());
  }

  /// The elements. CPU tensors only (Error(device) else); T must be the dtype's type
  /// (Error(dtype)).
  template <class T>
  std::span<const T> data() const {
    return {static_cast<const T*>(host_data(dtype_of<T>)), static_cast<std::size_t>(numel())};
  }
  /// Like `data`, for writing: bumps the version; Error(state) on read-only storage.
  template <class T>
  std::span<T> mutable_data() {
    return {static_cast<T*>(mutable_host_data(dtype_of<T>)), static_cast<std::size_t>(numel())};
  }
  /// The value of a one-element tensor, converted to T; waits for the device.
  template <class T = double>
  T item() const {
    return static_cast<T>(item_as_double());
  }
  /// All elements, converted to double, copied to the host; waits for the device.
  std::vector<double> to_vector() const;

  /// Moves or converts; returns *this when nothing changes. Recorded by autograd.
  Tensor to(Device device) const;
  Tensor to(DType dtype) const;
  Tensor clone() const;
  Tensor detach() const;
  /// Shares storage. One extent may be -1. Throws Error(shape).
  Tensor reshape(const Dims& dims) const;
  /// Rows [begin, end) of dimension 0; shares storage. Throws Error(index).
  Tensor slice(std::int64_t begin, std::int64_t end) const;

  bool requires_grad() const noexcept { return impl_ && impl_->requires_grad; }
  bool is_leaf() const noexcept { return impl_->node == nullptr; }
  /// Makes a leaf want a gradient (or not). Throws Error(state) on a non-leaf, Error(dtype) on
  /// integers.
  Tensor& requires_grad_(bool value = true);
  /// The accumulated gradient of a leaf; undefined while empty.
  Tensor grad() const;
  /// Marks the gradient empty; no memory is written.
  void zero_grad() const;
  /// Accumulates d(this)/d(leaf) into every leaf that requires grad. A non-scalar needs `gradient`.
  void backward(const Tensor& gradient = {}) const;

  /// In-place writes: the only ones beside optimizer ops. Bump the version.
  Tensor& copy_(const Tensor& source);
  Tensor& fill_(double value);

  /// Counts in-place writes to the shared storage.
  std::uint32_t version() const noexcept { return impl_->storage->version; }

  TensorImpl* impl() const noexcept { return impl_.get(); }
  const Ref<TensorImpl>& ref() const noexcept { return impl_; }
  bool same_as(const Tensor& other) const noexcept { return impl_ == other.impl_; }

 private:
  const void* host_data(DType dtype) const;
  void* mutable_host_data(DType dtype);
  double item_as_double() const;

  Ref<TensorImpl> impl_;
};

/// Uninitialised. Throws Error(memory | device).
WEFT_API Tensor empty(const Shape& shape, TensorOptions options = {});
/// A new handle on the same bytes with another shape (same element count), without autograd.
WEFT_API Tensor view_as(const Tensor& x, const Shape& shape);
WEFT_API Tensor view_rows(const Tensor& x, std::int64_t begin, std::int64_t end);

/// `f32[2,3]`, with ` cuda:0` when not on the CPU: how errors print tensors.
WEFT_API std::string describe(const Tensor& x);
/// Values with shape, dtype and device; the middle of long dimensions is elided. Copies to the
/// host.
WEFT_API std::string to_string(const Tensor& x);
WEFT_API std::ostream& operator<<(std::ostream& out, const Tensor& x);

}  // namespace weft
