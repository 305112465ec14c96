// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "weft/base/export.h"

namespace weft {

inline constexpr int kMaxRank = 8;

/// Up to 8 integers held in place; trivially copyable, so attribute structs may contain it.
/// Throws Error(shape) when more are given.
class WEFT_API Dims {
 public:
  constexpr Dims() = default;
  constexpr Dims(std::initializer_list<std::int64_t> values)
      : Dims(std::span<const std::int64_t>(values.begin(), values.size())) {}
  constexpr explicit Dims(std::span<const std::int64_t> values) {
    if (values.size() > kMaxRank) [[unlikely]]
      throw_too_many(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) values_[i] = values[i];
    rank_ = static_cast<std::int32_t>(values.size());
  }

  constexpr int rank() const { return rank_; }
  constexpr std::int64_t operator[](int i) const { return values_[static_cast<unsigned>(i)]; }
  constexpr std::int64_t& operator[](int i) { return values_[static_cast<unsigned>(i)]; }
  constexpr const std::int64_t* begin() const { return values_.data(); }
  constexpr const std::int64_t* end() const { return values_.data() + rank_; }
  constexpr std::span<const std::int64_t> span() const {
    return {values_.data(), static_cast<std::size_t>(rank_)};
  }
  constexpr bool empty() const { return rank_ == 0; }
  constexpr std::int64_t back() const { return (*this)[rank_ - 1]; }
  constexpr void push_back(std::int64_t value) {
    if (rank_ == kMaxRank) [[unlikely]]
      throw_too_many(kMaxRank + 1);
    values_[static_cast<unsigned>(rank_++)] = value;
  }

  friend constexpr bool operator==(const Dims& a, const Dims& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }

 protected:
  [[noreturn]] static void throw_too_many(std::size_t rank);

  std::array<std::int64_t, kMaxRank> values_{};
  std::int32_t rank_ = 0;
};

/// The extents of a tensor, outermost first; dimension 0 is the batch. `[]` is a scalar.
/// Construction checks every extent (>= 0) and that the element count fits 63 bits.
class WEFT_API Shape : public Dims {
 public:
  constexpr Shape() = default;
  constexpr Shape(std::initializer_list<std::int64_t> extents) : Dims(extents) { count(); }
  constexpr explicit Shape(std::span<const std::int64_t> extents) : Dims(extents) { count(); }
  constexpr explicit Shape(const Dims& extents) : Dims(extents) { count(); }

  constexpr std::int64_t numel() const { return numel_; }
  /// `dim` in [-rank, rank) made non-negative; Error(index) naming `op` otherwise.
  int dim_index(std::int64_t dim, std::string_view op) const;
  /// The same extents with `dim` replaced / removed / inserted before.
  Shape with(int dim, std::int64_t extent) const;
  Shape without(int dim) const;
  Shape inserted(int dim, std::int64_t extent) const;
  /// Product of the extents in [from, to).
  std::int64_t numel(int from, int to) const;

 private:
  // A lone extent, the hot case, needs no multiplication.
  constexpr void count() {
    if (rank_ == 1 && values_[0] >= 0)
      numel_ = values_[0];
    else if (rank_ != 0)
      numel_ = checked_count(*this);
  }
  static std::int64_t checked_count(const Dims& extents);

  std::int64_t numel_ = 1;
};

/// `[2,3]`
WEFT_API std::string to_string(const Dims& dims);

/// The shape that NumPy's broadcasting rules give; Error(shape) naming `op` and both shapes.
WEFT_API Shape broadcast(const Shape& a, const Shape& b, std::string_view op);

}  // namespace weft
