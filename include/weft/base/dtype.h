// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weft/base/export.h"
#include "weft/base/half.h"

namespace weft {

enum class DType : std::uint8_t { f64, f32, bf16, f16, i64, i32, u8, boolean };
inline constexpr std::size_t kDTypeCount = 8;
inline constexpr std::array<DType, kDTypeCount> kAllDTypes = {
    DType::f64, DType::f32, DType::bf16, DType::f16,
    DType::i64, DType::i32, DType::u8,   DType::boolean};

constexpr std::size_t size_of(DType dtype) {
  // A hexadecimal digit for each, f64 last: one shift instead of a table.
  return (0x11482248u >> (4 * static_cast<unsigned>(dtype))) & 15u;
}

constexpr bool is_floating(DType dtype) { return dtype <= DType::f16; }
constexpr bool is_half(DType dtype) { return dtype == DType::bf16 || dtype == DType::f16; }
constexpr bool is_integer(DType dtype) { return dtype >= DType::i64 && dtype <= DType::u8; }

/// `f32`, `bool`, ...
WEFT_API std::string_view name_of(DType dtype);
inline std::string to_string(DType dtype) { return std::string(name_of(dtype)); }
/// The dtype called `name`; nullopt when there is none.
WEFT_API std::optional<DType> dtype_named(std::string_view name);

/// The dtype of a result of two operands (docs/dtypes.md): the wider of two floats, bf16 with f16
/// gives f32, a float wins over an integer, the wider integer, u8 wins over bool.
WEFT_API DType promote(DType a, DType b);

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<bf16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<f16> {
  static constexpr DType value = DType::f16;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::boolean;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

}  // namespace weft
