// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "weft/base/export.h"

/// The only place where sizes are multiplied and added. Every function throws Error(value), with
/// `what` naming the quantity, on overflow or a negative operand.
namespace weft {

namespace detail {
[[noreturn]] WEFT_API void throw_unchecked(std::string_view what, std::int64_t a, char operation,
                                           std::int64_t b);
}  // namespace detail

inline std::int64_t checked_mul(std::int64_t a, std::int64_t b, std::string_view what) {
  std::int64_t result = 0;
  if ((a | b) < 0 || __builtin_mul_overflow(a, b, &result)) [[unlikely]] {
    detail::throw_unchecked(what, a, '*', b);
  }
  return result;
}
inline std::int64_t checked_add(std::int64_t a, std::int64_t b, std::string_view what) {
  std::int64_t result = 0;
  if ((a | b) < 0 || __builtin_add_overflow(a, b, &result)) [[unlikely]] {
    detail::throw_unchecked(what, a, '+', b);
  }
  return result;
}
/// Product of `dims`; 1 for none.
WEFT_API std::int64_t checked_numel(std::span<const std::int64_t> dims, std::string_view what);
inline std::size_t checked_bytes(std::int64_t count, std::size_t element_size,
                                 std::string_view what) {
  return static_cast<std::size_t>(
      checked_mul(count, static_cast<std::int64_t>(element_size), what));
}
/// `bytes` rounded up to a multiple of `alignment`, a power of two.
inline std::size_t checked_align(std::size_t bytes, std::size_t alignment, std::string_view what) {
  const std::int64_t padded =
      checked_add(static_cast<std::int64_t>(bytes), static_cast<std::int64_t>(alignment - 1), what);
  return static_cast<std::size_t>(padded) & ~(alignment - 1);
}
/// True when [offset, offset + length) lies within [0, total).
constexpr bool range_fits(std::uint64_t offset, std::uint64_t length, std::uint64_t total) {
  return offset <= total && length <= total - offset;
}

}  // namespace weft
