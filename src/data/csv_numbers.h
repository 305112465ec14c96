// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace weft::data {

/// Any finite decimal number, with spaces around it and a plus sign allowed.
bool parse_any_number(std::string_view text, float& value);

/// Correctly rounded. Short numbers, most of what tables hold, need no call: digits * 10^-k with
/// both factors exact in f32 is one rounding (Clinger 1990, "How to read floating point numbers
/// accurately").
inline bool parse_number(std::string_view text, float& value) {
  constexpr std::array<float, 11> kPowers = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f,
                                             1e6f, 1e7f, 1e8f, 1e9f, 1e10f};
  const char* at = text.data();
  const char* const end = at + text.size();
  const bool negative = at != end && *at == '-';
  at += negative;
  const auto digit = [&] { return static_cast<unsigned>(*at) - static_cast<unsigned>('0'); };
  if (end - at > 12 || at == end) return parse_any_number(text, value);
  std::uint64_t digits = 0;
  const char* const whole = at;
  for (; at != end && digit() < 10; ++at) digits = digits * 10 + digit();
  auto count = at - whole;
  std::size_t places = 0;
  if (at != end && *at == '.') {
    const char* const fraction = ++at;
    for (; at != end && digit() < 10; ++at) digits = digits * 10 + digit();
    places = static_cast<std::size_t>(at - fraction);
    count += at - fraction;
  }
  constexpr std::uint64_t kExact = std::uint64_t{1} << 24;
  if (at != end || count == 0 || digits > kExact || places >= kPowers.size()) {
    return parse_any_number(text, value);
  }
  const float magnitude = static_cast<float>(digits) / kPowers[places];
  value = negative ? -magnitude : magnitude;
  return true;
}

}  // namespace weft::data
