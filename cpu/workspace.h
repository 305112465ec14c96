// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::cpu {

/// Hands out 64-byte aligned parts of a kernel's workspace; without memory it only counts, so that
/// a row's `.workspace` can take the same steps as its kernel.
class Workspace {
 public:
  explicit Workspace(std::byte* base = nullptr) : base_(base) {}
  template <class T>
  T* take(std::int64_t count) {
    const std::size_t begin = used_;
    used_ += (static_cast<std::size_t>(count) * sizeof(T) + 63) & ~std::size_t{63};
    return base_ ? reinterpret_cast<T*>(base_ + begin) : nullptr;
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0;
};

}  // namespace weft::cpu
