// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "weft/op/fields.h"

namespace weft {

struct MatmulAttrs {
  bool transpose_a = false;
  bool transpose_b = false;
  WEFT_FIELDS(MatmulAttrs, transpose_a, transpose_b)
};

/// What `linear` applies to its result. `gelu` is the exact form with erf.
enum class Activation : std::uint8_t { none, relu, gelu, gelu_tanh };

inline constexpr std::array<std::string_view, 4> kActivationNames = {"none", "relu", "gelu",
                                                                     "gelu_tanh"};
constexpr std::span<const std::string_view> choices_of(Activation) { return kActivationNames; }

struct LinearGeluAttrs {
  bool tanh = false;
  WEFT_FIELDS(LinearGeluAttrs, tanh)
};

struct LinearGradAttrs {
  Activation activation = Activation::none;
  WEFT_FIELDS(LinearGradAttrs, activation)
};

}  // namespace weft
