// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "run/config.h"
#include "weft/nn/options.h"

/// The keys of a config file as tables. They read the file, and print `weft config schema`,
/// `weft config show` and docs/config.md.
namespace weft {

struct SectionTable;

/// Registered names of one kind, each with its option table.
struct Catalogue {
  struct Entry {
    std::string doc;
    std::span<const OptionSpec> options;
  };
  std::string_view kind;
  std::vector<std::string> (*names)();
  /// False when there is no such name.
  bool (*find)(std::string_view name, Entry& entry);
};

/// Where the reader puts a section or a typed value.
struct Slot {
  void* section = nullptr;
  TypedConfig* typed = nullptr;
};

using Words = std::vector<std::pair<std::string, std::string>>;

enum class KeyKind : std::uint8_t {
  option,     ///< a scalar or a list of scalars
  path,       ///< a file name; relative to the file that names it
  words,      ///< a map of free names to one of the choices
  section,    ///< a map with keys of its own
  sections,   ///< a list of such maps
  typed,      ///< a registered name with options
  typed_list  ///< a list of such
};

struct KeyTable {
  OptionSpec spec;  ///< for sections only name, doc, required, initial (`null`, or what an absent
                    ///< one means)
  KeyKind kind = KeyKind::option;
  const SectionTable* section =
      nullptr;  ///< its keys; for typed values those beside `type` and the options
  const Catalogue* catalogue = nullptr;
  void (*store)(void* parent, const OptionValue& value) = nullptr;
  Slot (*slot)(void* parent) = nullptr;
  void (*begin_list)(void* parent) = nullptr;
  Words* (*words)(void* parent) = nullptr;
};

struct SectionTable {
  std::span<const KeyTable> keys;
};

/// The whole file.
const SectionTable& config_table();

extern const Catalogue kLayerCatalogue;
extern const Catalogue kLossCatalogue;
extern const Catalogue kMetricCatalogue;
extern const Catalogue kOptimizerCatalogue;
extern const Catalogue kScheduleCatalogue;

namespace detail {

template <class>
struct MemberOf;
template <class C, class T>
struct MemberOf<T C::*> {
  using Class = C;
  using Type = T;
};

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

template <auto Member>
void store_option(void* parent, const OptionValue& value) {
  using M = MemberOf<decltype(Member)>;
  auto& member = static_cast<typename M::Class*>(parent)->*Member;
  if constexpr (IsOptional<typename M::Type>::value) {
    member.reset();
    if (value.is_null()) return;
    member = std::get<typename M::Type::value_type>(value.data());
  } else {
    // A required key that is missing was reported; the rest of the file is still checked.
    if (const auto* typed = std::get_if<typename M::Type>(&value.data())) member = *typed;
  }
}

template <class T>
Slot slot_of(T& target) {
  if constexpr (IsOptional<T>::value) {
    if (!target) target.emplace();
    return slot_of(*target);
  } else if constexpr (IsVector<T>::value) {
    return slot_of(target.emplace_back());
  } else if constexpr (std::is_base_of_v<TypedConfig, T>) {
    return {&target, &target};
  } else {
    return {&target, nullptr};
  }
}

template <auto Member>
Slot open_slot(void* parent) {
  return slot_of(static_cast<typename MemberOf<decltype(Member)>::Class*>(parent)->*Member);
}

/// A list that is given, if only as `[]`, is not an absent one.
template <auto Member>
void open_list(void* parent) {
  using M = MemberOf<decltype(Member)>;
  auto& member = static_cast<typename M::Class*>(parent)->*Member;
  if constexpr (IsOptional<typename M::Type>::value) member.emplace();
}

template <auto Member>
Words* words_of(void* parent) {
  return &(static_cast<typename MemberOf<decltype(Member)>::Class*>(parent)->*Member);
}

}  // namespace detail

template <auto Member>
constexpr KeyTable key(OptionSpec spec, KeyKind kind = KeyKind::option) {
  return {.spec = spec, .kind = kind, .store = detail::store_option<Member>};
}
template <auto Member>
constexpr KeyTable nested(OptionSpec spec, const SectionTable& section,
                          KeyKind kind = KeyKind::section) {
  return {.spec = spec,
          .kind = kind,
          .section = &section,
          .slot = detail::open_slot<Member>,
          .begin_list = detail::open_list<Member>};
}
template <auto Member>
constexpr KeyTable typed(OptionSpec spec, const Catalogue& catalogue, KeyKind kind = KeyKind::typed,
                         const SectionTable* extra = nullptr) {
  return {.spec = spec,
          .kind = kind,
          .section = extra,
          .catalogue = &catalogue,
          .slot = detail::open_slot<Member>,
          .begin_list = detail::open_list<Member>};
}
template <auto Member>
constexpr KeyTable words(OptionSpec spec) {
  return {.spec = spec, .kind = KeyKind::words, .words = detail::words_of<Member>};
}

}  // namespace weft
