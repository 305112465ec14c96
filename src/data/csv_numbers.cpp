// SPDX-License-Identifier: Apache-2.0
#include "data/csv_numbers.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace weft::data {

namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

bool parse_any_number(std::string_view text, float& value) {
  text = trimmed(text);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const char* const end = text.data() + text.size();
  const auto [stop, fault] = std::from_chars(text.data(), end, value);
  if (stop != end || text.empty()) return false;
  if (fault == std::errc{}) return std::isfinite(value);
  // Out of range of f32: below its smallest number the nearest f32 is taken, above is an error.
  double wide = 0;
  const auto wide_fault = std::from_chars(text.data(), end, wide).ec;
  if (wide_fault == std::errc{} && std::abs(wide) < std::numeric_limits<float>::min()) {
    value = static_cast<float>(wide);
    return true;
  }
  return false;
}

}  // namespace weft::data
