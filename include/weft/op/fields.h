// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "weft/base/dtype.h"
#include "weft/base/shape.h"

namespace weft {

enum class FieldType : std::uint8_t { boolean, integer, real, dtype, dims, choice };

/// One field of an attribute struct. A `choice` is an enum of one byte; `choices` are its names.
struct Field {
  std::string_view name;
  FieldType type = FieldType::boolean;
  std::uint16_t offset = 0;
  std::span<const std::string_view> choices;
};

/// What the library knows of an attribute struct: enough to print, parse, compare, hash and store
/// it.
struct AttrsInfo {
  std::size_t size = 0;
  std::span<const Field> fields;
  /// Points at a default-constructed struct.
  const void* defaults = nullptr;
};

inline constexpr std::size_t kMaxAttrsBytes = 192;

/// `{p=0.5, training=true}`
WEFT_API std::string attrs_text(const AttrsInfo& info, const void* attrs);
/// Sets `field` of `attrs` from text. Throws Error(value) naming the field and what it accepts.
WEFT_API void set_attr(const AttrsInfo& info, void* attrs, std::string_view field,
                       std::string_view value);
WEFT_API bool attrs_equal(const AttrsInfo& info, const void* a, const void* b);
WEFT_API std::uint64_t attrs_hash(const AttrsInfo& info, const void* attrs);
/// A hash of the field names, types and offsets: two libraries that agree on it agree on the
/// layout.
WEFT_API std::uint64_t layout_hash(const AttrsInfo& info);

namespace detail {

template <class T>
constexpr FieldType field_type() {
  if constexpr (std::same_as<T, bool>)
    return FieldType::boolean;
  else if constexpr (std::same_as<T, std::int64_t>)
    return FieldType::integer;
  else if constexpr (std::same_as<T, double>)
    return FieldType::real;
  else if constexpr (std::same_as<T, DType>)
    return FieldType::dtype;
  else if constexpr (std::same_as<T, Dims>)
    return FieldType::dims;
  else {
    static_assert(std::is_enum_v<T> && sizeof(T) == 1, "attribute field type");
    return FieldType::choice;
  }
}

template <class T>
constexpr std::span<const std::string_view> field_choices() {
  if constexpr (field_type<T>() == FieldType::choice)
    return choices_of(T{});
  else
    return {};
}

/// Filled by WEFT_FIELDS; the array is as long as the widest attribute struct needs.
struct FieldList {
  Field values[24];
  std::size_t count = 0;
};

template <class... F>
constexpr FieldList list_fields(F... fields) {
  static_assert(sizeof...(fields) <= std::size(FieldList{}.values));
  return {{fields...}, sizeof...(fields)};
}

template <class T>
inline constexpr FieldList kFieldList = T::weft_fields();

template <class T>
inline constexpr T kDefaultAttrs{};

template <class T>
constexpr AttrsInfo make_attrs_info() {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kMaxAttrsBytes);
  return {sizeof(T), {kFieldList<T>.values, kFieldList<T>.count}, &kDefaultAttrs<T>};
}

template <class T>
inline constexpr AttrsInfo kAttrsInfo = make_attrs_info<T>();

}  // namespace detail

/// The description of attribute struct T, for `OpDef::attrs`.
template <class T>
inline constexpr const AttrsInfo* attrs_of = &detail::kAttrsInfo<T>;

/// The attributes of an op that has none.
struct NoAttrs {
  static constexpr detail::FieldList weft_fields() { return {}; }
};

}  // namespace weft

#define WEFT_PARENS ()
#define WEFT_EXPAND(...) WEFT_EXPAND3(WEFT_EXPAND3(WEFT_EXPAND3(__VA_ARGS__)))
#define WEFT_EXPAND3(...) WEFT_EXPAND2(WEFT_EXPAND2(WEFT_EXPAND2(__VA_ARGS__)))
#define WEFT_EXPAND2(...) __VA_ARGS__
#define WEFT_FIELD(T, name)                                 \
  ::weft::Field {                                           \
    #name, ::weft::detail::field_type<decltype(T::name)>(), \
        static_cast<std::uint16_t>(offsetof(T, name)),      \
        ::weft::detail::field_choices<decltype(T::name)>()  \
  }
#define WEFT_FIELDS_STEP(T, name, ...) \
  WEFT_FIELD(T, name) __VA_OPT__(, WEFT_FIELDS_AGAIN WEFT_PARENS(T, __VA_ARGS__))
#define WEFT_FIELDS_AGAIN() WEFT_FIELDS_STEP

/// Names the fields of an attribute struct; place it after them:
/// `struct DropoutAttrs { double p = 0.5; WEFT_FIELDS(DropoutAttrs, p) };`
#define WEFT_FIELDS(T, ...)                                                            \
  static constexpr ::weft::detail::FieldList weft_fields() {                           \
    return ::weft::detail::list_fields(WEFT_EXPAND(WEFT_FIELDS_STEP(T, __VA_ARGS__))); \
  }
