// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "weft/base/export.h"

namespace weft {

namespace detail {
WEFT_API void append_text(std::string& out, double value);
WEFT_API void append_text(std::string& out, float value);
WEFT_API void append_text(std::string& out, std::int64_t value);
WEFT_API void append_text(std::string& out, std::uint64_t value);
inline void append_text(std::string& out, std::string_view value) { out += value; }
inline void append_text(std::string& out, char value) { out += value; }
inline void append_text(std::string& out, bool value) { out += value ? "true" : "false"; }

template <class T>
void append_any(std::string& out, const T& value) {
  if constexpr (std::same_as<T, bool> || std::same_as<T, char> || std::same_as<T, double> ||
                std::same_as<T, float>) {
    append_text(out, value);
  } else if constexpr (std::signed_integral<T>) {
    append_text(out, static_cast<std::int64_t>(value));
  } else if constexpr (std::unsigned_integral<T>) {
    append_text(out, static_cast<std::uint64_t>(value));
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    append_text(out, std::string_view(value));
  } else {
    append_text(out, std::string_view(to_string(value)));
  }
}
}  // namespace detail

/// Joins the printed forms of its arguments. Floats print as the shortest decimal that reads back;
/// other types through a `to_string` found next to them.
template <class... Args>
std::string cat(const Args&... args) {
  std::string out;
  (detail::append_any(out, args), ...);
  return out;
}

/// `names` joined as `a, b, c`.
WEFT_API std::string join(std::span<const std::string> names, std::string_view separator = ", ");

/// The entry of `names` nearest to `given` (edit distance at most a third of its length, at least
/// 1), or an empty string: for "did you mean" hints.
WEFT_API std::string nearest_name(std::string_view given, std::span<const std::string> names);

/// `text` with control characters and invalid UTF-8 escaped, cut to `limit` bytes: what error
/// messages quote of foreign files.
WEFT_API std::string quoted(std::string_view text, std::size_t limit = 80);

/// `1.50 GiB`, `312 B`: binary units.
WEFT_API std::string bytes_text(std::uint64_t bytes);

}  // namespace weft
