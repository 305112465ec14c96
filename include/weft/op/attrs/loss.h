// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "weft/op/fields.h"

namespace weft {

enum class Reduction : std::uint8_t { mean, sum, none };

inline constexpr std::array<std::string_view, 3> kReductionNames = {"mean", "sum", "none"};
constexpr std::span<const std::string_view> choices_of(Reduction) { return kReductionNames; }

struct CrossEntropyAttrs {
  double label_smoothing = 0;
  std::int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
  WEFT_FIELDS(CrossEntropyAttrs, label_smoothing, ignore_index, reduction)
};

}  // namespace weft
