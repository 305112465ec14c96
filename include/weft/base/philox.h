// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "weft/base/export.h"

namespace weft {

/// Philox4x32-10, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". A pure
/// function of counter and key, the same bits on host and device.
struct PhiloxWords {
  std::uint32_t w[4];
};

WEFT_HD constexpr PhiloxWords philox(PhiloxWords counter, std::uint64_t key) {
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter.w[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * counter.w[2];
    counter = {
        {static_cast<std::uint32_t>(p1 >> 32) ^ counter.w[1] ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ counter.w[3] ^ k1, static_cast<std::uint32_t>(p0)}};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

/// Where a random op draws from: key = seed, counter = (stream 32 bits, draw 48, element/4 48).
/// draw = `*base + ordinal`; `base` lives on the op's device, `ordinal` is an attribute of the
/// call.
struct RandomAddress {
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;
  std::uint64_t ordinal = 0;
  const std::uint64_t* base = nullptr;
};

/// The four 32-bit words for elements [4*group, 4*group+4) of draw `draw`.
WEFT_HD constexpr PhiloxWords philox_group(std::uint64_t seed, std::uint32_t stream,
                                           std::uint64_t draw, std::uint64_t group) {
  return philox({{stream, static_cast<std::uint32_t>(draw),
                  static_cast<std::uint32_t>((draw >> 32) & 0xffffu) |
                      (static_cast<std::uint32_t>(group >> 32) << 16),
                  static_cast<std::uint32_t>(group)}},
                seed);
}

/// 24 random bits as a float in [0, 1).
WEFT_HD constexpr float unit_float(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

/// FNV-1a of a stream's name: its 32-bit id.
constexpr std::uint32_t stream_id(std::string_view name) {
  std::uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

}  // namespace weft
