// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "weft/base/device.h"
#include "weft/base/dtype.h"
#include "weft/base/philox.h"
#include "weft/base/shape.h"
#include "weft/core/backend.h"

namespace weft {

/// A tensor as a kernel sees it: dense, row-major. `data == nullptr` with `shape == nullptr` means
/// that an optional tensor is absent.
struct TensorArg {
  std::byte* data = nullptr;
  const Shape* shape = nullptr;
  std::int64_t numel = 0;
  DType dtype = DType::f32;

  bool present() const { return shape != nullptr; }
  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
  bool aligned(std::size_t bytes) const {
    return (reinterpret_cast<std::uintptr_t>(data) & (bytes - 1)) == 0;
  }
};

/// Everything a kernel may know: it is a function of these alone. Inputs stand in declared order;
/// lists are flattened, `list_begin[i]` is where declared input i starts and `list_begin[i + 1]`
/// where it ends.
struct KernelArgs {
  std::string_view op;
  const void* attrs_data = nullptr;
  std::span<const TensorArg> inputs;
  std::span<const TensorArg> outputs;
  std::span<const std::uint16_t> list_begin;
  std::uint32_t accumulate = 0;  ///< bit i: add to output i instead of overwriting it
  RandomAddress random;
  std::byte* workspace = nullptr;
  std::size_t workspace_bytes = 0;
  void* plan = nullptr;  ///< what `KernelRow::prepare` returned
  Stream stream;
  const void* user = nullptr;  ///< the row's user pointer

  template <class A>
  const A& attrs() const {
    return *static_cast<const A*>(attrs_data);
  }
  const TensorArg& in(std::size_t i) const { return inputs[i]; }
  const TensorArg& out(std::size_t i = 0) const { return outputs[i]; }
  /// The tensors of declared list input `i`.
  std::span<const TensorArg> list(std::size_t i) const {
    return inputs.subspan(list_begin[i],
                          static_cast<std::size_t>(list_begin[i + 1] - list_begin[i]));
  }
  bool accumulates(std::size_t i = 0) const { return ((accumulate >> i) & 1u) != 0; }
};

using KernelFn = void (*)(const KernelArgs&);
/// Finds or makes what the kernel needs beside its arguments; runs before it, never under capture.
using PrepareFn = void* (*)(const KernelArgs&);
/// Bytes of scratch memory, from the pool.
using WorkspaceFn = std::size_t (*)(const KernelArgs&);
/// Whether this variant can run these arguments. Outputs that are still to be allocated have
/// `data == nullptr`; they will be 64-byte aligned.
using AppliesFn = bool (*)(const KernelArgs&);

/// One way to run an op on one kind of device for one dtype.
struct KernelRow {
  std::string_view variant;  ///< `onednn`, `portable`, ...: unique within the slot
  KernelFn run = nullptr;
  PrepareFn prepare = nullptr;
  WorkspaceFn workspace = nullptr;
  AppliesFn applies = nullptr;
  bool deterministic = true;
  bool capturable = true;
  const void* user = nullptr;
};

inline constexpr std::size_t kMaxVariants = 4;

/// The rows of an op, by device kind and dtype, fastest first. Rows are only ever added.
class WEFT_API KernelTable {
 public:
  KernelTable();
  ~KernelTable();
  KernelTable(const KernelTable&) = delete;
  KernelTable& operator=(const KernelTable&) = delete;

  /// Appends `row` to the slot. Throws Error(value) on a variant name that the slot has, or a full
  /// slot.
  void add(DeviceKind kind, DType dtype, const KernelRow& row);
  /// The rows of a slot, fastest first.
  std::span<const KernelRow> rows(DeviceKind kind, DType dtype) const noexcept {
    const auto& slot = slots_[static_cast<std::size_t>(kind)][static_cast<std::size_t>(dtype)];
    return {slot.rows, slot.count.load(std::memory_order_acquire)};
  }

 private:
  struct Slot {
    std::atomic<std::uint32_t> count{0};
    KernelRow* rows = nullptr;
  };
  Slot slots_[kDeviceKindCount][kDTypeCount];
};

}  // namespace weft
