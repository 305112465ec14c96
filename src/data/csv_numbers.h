// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

namespace weft::data {

/// Any finite decimal number, with spaces around it and a plus sign allowed.
bool parse_any_number(std::string_view text, float& value);

inline constexpr std::array<double, 19> kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                                        1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                                        1e14, 1e15, 1e16, 1e17, 1e18};

/// Correctly rounded. Plain decimals, most of what tables hold, need no call: digits / 10^k with
/// both exact in f64 is one rounding (Clinger 1990, "How to read floating point numbers
/// accurately"), and a second one to f32 is harmless unless the first fell next to the middle
/// between two f32.
inline bool parse_number(std::string_view text, float& value) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const bool negative = at != end && *at == '-';
  at += negative;
  if (end - at > 19 || at == end) return parse_any_number(text, value);
  const auto digit = [&] { return static_cast<unsigned>(*at) - static_cast<unsigned>('0'); };
  std::uint64_t digits = 0;
  const char* const begin = at;
  for (; at != end && digit() < 10; ++at) digits = digits * 10 + digit();
  auto count = at - begin;
  std::size_t places = 0;
  if (at != end && *at == '.') {
    const char* const fraction = ++at;
    for (; at != end && digit() < 10; ++at) digits = digits * 10 + digit();
    places = static_cast<std::size_t>(at - fraction);
    count += at - fraction;
  }
  constexpr std::uint64_t kExact = std::uint64_t{1} << 53;
  if (at != end || count == 0 || digits > kExact) return parse_any_number(text, value);
  const double exact = static_cast<double>(digits) / kPowersOfTen[places];
  constexpr std::uint64_t kMiddle = std::uint64_t{1} << 28;  // of the 29 bits that f32 drops
  const std::uint64_t dropped = std::bit_cast<std::uint64_t>(exact) & (2 * kMiddle - 1);
  if (dropped - (kMiddle - 1) <= 2) return parse_any_number(text, value);
  value = static_cast<float>(negative ? -exact : exact);
  return true;
}

}  // namespace weft::data
