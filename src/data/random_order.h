// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "weft/base/philox.h"

namespace weft::data {

/// 64 random bits that belong to (seed, stream, draw, item).
constexpr std::uint64_t random_bits(std::uint64_t seed, std::uint32_t stream, std::uint64_t draw,
                                    std::uint64_t item) {
  const PhiloxWords words = philox_group(seed, stream, draw, item);
  return (std::uint64_t{words.w[0]} << 32) | words.w[1];
}

/// [0, n) in random order (Fisher and Yates; Knuth, TAOCP 2, algorithm P).
inline std::vector<std::int64_t> random_order(std::int64_t n, std::uint64_t seed,
                                              std::uint32_t stream, std::uint64_t draw) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  for (std::size_t i = order.size(); i > 1; --i) {
    // Multiplying instead of a remainder: bias below 2^-32 for any table that fits a disk.
    const auto wide = static_cast<unsigned __int128>(random_bits(seed, stream, draw, i)) * i;
    std::swap(order[i - 1], order[static_cast<std::size_t>(wide >> 64)]);
  }
  return order;
}

}  // namespace weft::data
