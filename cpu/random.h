// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weft/base/philox.h"

namespace weft::cpu {

/// The draw that `address` stands for now.
inline std::uint64_t draw_of(const RandomAddress& address) {
  return (address.base != nullptr ? *address.base : 0) + address.ordinal;
}

/// The random words of elements [4 * group, 4 * (group + groups)) of draw `draw`.
void random_words(const RandomAddress& address, std::uint64_t draw, std::int64_t group,
                  std::int64_t groups, std::uint32_t* words);

}  // namespace weft::cpu
