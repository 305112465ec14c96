// SPDX-License-Identifier: Apache-2.0
#include "weft/base/checked.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "weft/base/error.h"
#include "weft/base/shape.h"
#include "weft/base/text.h"

namespace weft {

namespace {

[[noreturn, gnu::cold]] void throw_overflow(std::string_view what, std::string_view expression) {
  throw Error(ErrorKind::value, cat(what, ": ", expression, " is too large for 63 bits"));
}

void require_not_negative(std::int64_t value, std::string_view what) {
  if (value < 0) [[unlikely]] {
    throw Error(ErrorKind::value, cat(what, ": ", value, " is negative, must be 0 or more"));
  }
}

}  // namespace

std::int64_t checked_mul(std::int64_t a, std::int64_t b, std::string_view what) {
  require_not_negative(a, what);
  require_not_negative(b, what);
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) throw_overflow(what, cat(a, " * ", b));
  return result;
}

std::int64_t checked_add(std::int64_t a, std::int64_t b, std::string_view what) {
  require_not_negative(a, what);
  require_not_negative(b, what);
  std::int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) throw_overflow(what, cat(a, " + ", b));
  return result;
}

std::int64_t checked_numel(std::span<const std::int64_t> dims, std::string_view what) {
  std::int64_t product = 1;
  bool has_zero = false;
  for (const std::int64_t extent : dims) {
    require_not_negative(extent, what);
    has_zero |= extent == 0;
    // A zero beside extents whose product overflows is refused too: slices of it would overflow.
    if (__builtin_mul_overflow(product, std::max<std::int64_t>(extent, 1), &product)) [[unlikely]] {
      std::string text;
      for (const std::int64_t d : dims) text += cat(text.empty() ? "" : " * ", d);
      throw_overflow(what, text);
    }
  }
  return has_zero ? 0 : product;
}

std::size_t checked_bytes(std::int64_t count, std::size_t element_size, std::string_view what) {
  if (element_size > static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max())) {
    throw_overflow(what, cat(element_size));
  }
  return static_cast<std::size_t>(
      checked_mul(count, static_cast<std::int64_t>(element_size), what));
}

std::size_t checked_align(std::size_t bytes, std::size_t alignment, std::string_view what) {
  if (!std::has_single_bit(alignment)) {
    throw Error(ErrorKind::internal, cat(what, ": alignment ", alignment, " is no power of two"));
  }
  constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<std::int64_t>::max());
  if (bytes > limit || alignment > limit || bytes > limit - (alignment - 1)) {
    throw_overflow(what, cat(bytes, " rounded up to ", alignment));
  }
  return (bytes + alignment - 1) & ~(alignment - 1);
}

}  // namespace weft
