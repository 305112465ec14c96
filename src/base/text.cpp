// SPDX-License-Identifier: Apache-2.0
#include "weft/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace weft {

namespace {

template <class T>
void append_float(std::string& out, T value) {
  if (std::isnan(value)) {
    out += "nan";
    return;
  }
  std::array<char, 64> buffer;
  // An exponent only where Python's repr has one, or where fixed digits would claim too much.
  const T magnitude = std::abs(value);
  const T exact = T{2} / std::numeric_limits<T>::epsilon();
  const bool fixed = value == 0 || (magnitude >= static_cast<T>(1e-4) && magnitude < exact);
  const auto [end, error] =
      fixed ? std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                            std::chars_format::fixed)
            : std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), end);
}

template <class T>
void append_integer(std::string& out, T value) {
  std::array<char, 24> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), end);
}

// Damerau-Levenshtein (optimal string alignment): insert, delete, replace, swap neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

// Length of the valid UTF-8 sequence at the start of `text` (RFC 3629), 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  unsigned low = 0x80, high = 0xbf;
  if (lead == 0xe0) low = 0xa0;
  if (lead == 0xed) high = 0x9f;
  if (lead == 0xf0) low = 0x90;
  if (lead == 0xf4) high = 0x8f;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

std::string escaped_byte(unsigned char c) {
  if (c == '\n') return "\\n";
  if (c == '\t') return "\\t";
  if (c == '\r') return "\\r";
  constexpr std::string_view hex = "0123456789abcdef";
  return {'\\', 'x', hex[c >> 4], hex[c & 15]};
}

// U+0080..U+009F are control characters too (terminal escapes in one byte).
bool is_control(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && static_cast<unsigned char>(sequence[1]) < 0xa0;
}

}  // namespace

namespace detail {
void append_text(std::string& out, double value) { append_float(out, value); }
void append_text(std::string& out, float value) { append_float(out, value); }
void append_text(std::string& out, std::int64_t value) { append_integer(out, value); }
void append_text(std::string& out, std::uint64_t value) { append_integer(out, value); }
}  // namespace detail

std::string join(std::span<const std::string> names, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += separator;
    out += names[i];
  }
  return out;
}

std::string nearest_name(std::string_view given, std::span<const std::string> names) {
  const std::size_t limit = std::max<std::size_t>(1, given.size() / 3);
  std::size_t best = limit + 1;
  std::string_view nearest;
  for (const std::string& name : names) {
    const std::size_t longer = std::max(name.size(), given.size());
    if (longer - std::min(name.size(), given.size()) > limit) continue;
    const std::size_t distance = edit_distance(given, name);
    if (distance < best) {
      best = distance;
      nearest = name;
    }
  }
  return std::string(nearest);
}

std::string quoted(std::string_view text, std::size_t limit) {
  std::string out;
  while (!text.empty()) {
    const std::size_t valid = utf8_length(text);
    const std::string_view sequence = text.substr(0, std::max<std::size_t>(valid, 1));
    std::string piece;
    if (valid != 0 && !is_control(sequence)) {
      piece = sequence;
    } else {
      for (const char c : sequence) piece += escaped_byte(static_cast<unsigned char>(c));
    }
    if (out.size() + piece.size() > limit) return out += "...";
    out += piece;
    text.remove_prefix(sequence.size());
  }
  return out;
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return cat(bytes, " B");
  constexpr std::array<std::string_view, 6> units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.995 would print as 1024.00.
  while (value >= 1023.995 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                          std::chars_format::fixed, 2);
  return cat(std::string_view(buffer.data(), static_cast<std::size_t>(end - buffer.data())), " ",
             units[unit]);
}

}  // namespace weft
