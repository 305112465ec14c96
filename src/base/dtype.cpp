// SPDX-License-Identifier: Apache-2.0
#include "weft/base/dtype.h"

#include <algorithm>

namespace weft {

namespace {
constexpr std::array<std::string_view, kDTypeCount> kNames = {"f64", "f32", "bf16", "f16",
                                                              "i64", "i32", "u8",   "bool"};
}  // namespace

std::string_view name_of(DType dtype) { return kNames[static_cast<std::size_t>(dtype)]; }

std::optional<DType> dtype_named(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<DType>(found - kNames.begin());
}

DType promote(DType a, DType b) {
  if (a != b && is_half(a) && is_half(b)) return DType::f32;
  // The enumerators are ordered from the strongest to the weakest.
  return std::min(a, b);
}

}  // namespace weft
