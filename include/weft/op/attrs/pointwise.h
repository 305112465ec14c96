// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "weft/op/fields.h"

namespace weft {

/// Which operand of an arithmetic op is the number `scalar` instead of a tensor.
enum class ScalarSide : std::uint8_t { none, left, right };
inline constexpr std::array<std::string_view, 3> kScalarSideNames = {"none", "left", "right"};
constexpr std::span<const std::string_view> choices_of(ScalarSide) { return kScalarSideNames; }

/// `add(a?, b?) -> y` and its like: the operand on `side` is absent and `scalar` stands for it.
struct BinaryAttrs {
  double scalar = 0;
  ScalarSide side = ScalarSide::none;
  WEFT_FIELDS(BinaryAttrs, scalar, side)
};

struct GeluAttrs {
  bool tanh = false;
  WEFT_FIELDS(GeluAttrs, tanh)
};

}  // namespace weft
