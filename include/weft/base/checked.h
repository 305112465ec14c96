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

WEFT_API std::int64_t checked_mul(std::int64_t a, std::int64_t b, std::string_view what);
WEFT_API std::int64_t checked_add(std::int64_t a, std::int64_t b, std::string_view what);
/// Product of `dims`; 1 for none.
WEFT_API std::int64_t checked_numel(std::span<const std::int64_t> dims, std::string_view what);
WEFT_API std::size_t checked_bytes(std::int64_t count, std::size_t element_size,
                                   std::string_view what);
/// `bytes` rounded up to a multiple of `alignment`, a power of two.
WEFT_API std::size_t checked_align(std::size_t bytes, std::size_t alignment, std::string_view what);
/// True when [offset, offset + length) lies within [0, total).
constexpr bool range_fits(std::uint64_t offset, std::uint64_t length, std::uint64_t total) {
  return offset <= total && length <= total - offset;
}

}  // namespace weft
