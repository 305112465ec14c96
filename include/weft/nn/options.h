// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "weft/base/export.h"

/// Options that configuration files set: a table per layer, loss, optimizer, metric, schedule and
/// config section. The same table reads, checks, documents and prints them.
namespace weft {

enum class OptionType : std::uint8_t {
  boolean,   ///< true | false
  integer,   ///< 64-bit signed
  u64,       ///< 64-bit unsigned
  number,    ///< finite double
  text,      ///< a string; with `choices`, one of them
  pair,      ///< an integer, or two of them `[height, width]`
  integers,  ///< a list of integers; a single one is a list of one
  numbers,   ///< a list of numbers
  texts,     ///< a list of strings
  duration,  ///< `90s`, `50m`, `8h`; seconds as a double
};

/// Bounds of a number, or of every element of a list.
struct OptionRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool open_min = false;
  bool open_max = false;
};
constexpr OptionRange at_least(double min) { return {.min = min}; }
constexpr OptionRange above(double min) { return {.min = min, .open_min = true}; }
constexpr OptionRange between(double min, double max) { return {.min = min, .max = max}; }
/// [0, 1): a dropout probability, a momentum.
constexpr OptionRange fraction() { return {.min = 0, .max = 1, .open_max = true}; }

/// One option. Texts have static storage duration.
///   {.name = "kernel", .type = OptionType::pair, .required = true, .range = at_least(1), .doc =
///   "…"}
///   {.name = "padding", .type = OptionType::pair, .initial = "0", .choices = "same|valid", …}
///   {.name = "ignore_index", .type = OptionType::integer, .initial = "null", …}   may be left
///   unset
struct OptionSpec {
  std::string_view name;
  OptionType type = OptionType::number;
  bool required = false;
  /// The default as a file would say it; `null` makes the option one that may stay unset.
  std::string_view initial = {};
  OptionRange range = {};
  /// Words separated by `|`. For `text` the only ones allowed; beside another type, allowed too.
  std::string_view choices = {};
  /// Exact length of a list; 0 is any.
  int length = 0;
  std::string_view doc = {};

  constexpr bool nullable() const { return initial == "null"; }
};

/// A checked value: null, bool, integers, numbers or strings.
class WEFT_API OptionValue {
 public:
  using Data =
      std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string,
                   std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>>;
  OptionValue() = default;
  explicit OptionValue(Data data) : data_(std::move(data)) {}

  const Data& data() const { return data_; }
  bool is_null() const { return data_.index() == 0; }
  friend bool operator==(const OptionValue&, const OptionValue&) = default;

 private:
  Data data_;
};

/// As a file would say it, in the notation that JSON and YAML share: `[0.9, 0.999]`, `"same"`.
WEFT_API std::string to_string(const OptionValue& value);

/// What a file, flag or variable gives for an option, before it is checked.
struct OptionInput {
  std::vector<std::string> items;
  bool is_list = false;
  bool is_null = false;
  bool is_quoted = false;  ///< a quoted scalar: never a number, bool or null
};
/// A flag's or variable's text: a scalar, or a list as `[a, b]`.
WEFT_API OptionInput option_input(std::string_view text);

/// The value of `spec` that `input` gives. When it is none, an empty optional, and `problem` says
/// what was given and what is needed (`expects an integer, got "x"`).
WEFT_API std::optional<OptionValue> read_option(const OptionSpec& spec, const OptionInput& input,
                                                std::string& problem);
/// The default of `spec`; null when it has none.
WEFT_API OptionValue initial_value(const OptionSpec& spec);
/// The words of `spec.choices`.
WEFT_API std::vector<std::string> choices_of(const OptionSpec& spec);
/// `integer >= 1`, `a | b | c`, `number in [0, 1)`: for documentation and error messages.
WEFT_API std::string type_text(const OptionSpec& spec);

/// The values of all options of a table, defaults filled in. Look-ups of a name that the table
/// lacks, or as another type, are Error(internal).
class WEFT_API OptionValues {
 public:
  OptionValues() = default;
  /// All defaults.
  explicit OptionValues(std::span<const OptionSpec> specs);
  /// From texts, as flags give them: `{{"out", "10"}, {"bias", "false"}}`. Throws Error(config)
  /// naming `owner` for an unknown or missing option or a value out of its domain.
  static OptionValues parse(std::span<const OptionSpec> specs,
                            std::span<const std::pair<std::string, std::string>> texts,
                            std::string_view owner);

  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  std::uint64_t u64(std::string_view name) const;
  double number(std::string_view name) const;  ///< also a duration, in seconds
  const std::string& text(std::string_view name) const;
  std::array<std::int64_t, 2> pair(std::string_view name) const;
  const std::vector<std::int64_t>& integers(std::string_view name) const;
  const std::vector<double>& numbers(std::string_view name) const;
  const std::vector<std::string>& texts(std::string_view name) const;

  bool is_null(std::string_view name) const { return at(name).is_null(); }
  /// True when the value is one of the words (`padding: same`).
  bool is_text(std::string_view name) const;
  bool has(std::string_view name) const;
  const OptionValue& at(std::string_view name) const;
  void set(std::string_view name, OptionValue value);
  const std::vector<std::pair<std::string, OptionValue>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, OptionValue>> entries_;
};

}  // namespace weft
