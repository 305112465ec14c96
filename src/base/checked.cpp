// SPDX-License-Identifier: Apache-2.0
#include "weft/base/checked.h"

#include <algorithm>
#include <string>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {

namespace {

[[noreturn]] void throw_negative(std::int64_t value, std::string_view what) {
  throw Error(ErrorKind::value, cat(what, ": ", value, " is negative, must be 0 or more"));
}

[[noreturn]] void throw_overflow(std::string_view expression, std::string_view what) {
  throw Error(ErrorKind::value, cat(what, ": ", expression, " is too large for 63 bits"));
}

}  // namespace

void detail::throw_unchecked(std::string_view what, std::int64_t a, char operation,
                             std::int64_t b) {
  if (a < 0 || b < 0) throw_negative(a < 0 ? a : b, what);
  throw_overflow(cat(a, " ", operation, " ", b), what);
}

std::int64_t checked_numel(std::span<const std::int64_t> dims, std::string_view what) {
  std::int64_t product = 1;
  bool has_zero = false;
  for (const std::int64_t extent : dims) {
    if (extent < 0) throw_negative(extent, what);
    has_zero |= extent == 0;
    // A zero beside extents whose product overflows is refused too: slices of it would overflow.
    if (__builtin_mul_overflow(product, std::max<std::int64_t>(extent, 1), &product)) [[unlikely]] {
      std::string text;
      for (const std::int64_t d : dims) text += cat(text.empty() ? "" : " * ", d);
      throw_overflow(text, what);
    }
  }
  return has_zero ? 0 : product;
}

}  // namespace weft
