// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  const bool plus = text.starts_with('+');
  if (plus) text.remove_prefix(1);
  if (text.empty() || (plus && text.front() == '-')) return {};
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

// `010` is 8 to some YAML readers and 10 to others.
bool has_leading_zero(std::string_view text) {
  const auto digits = text.substr(text.find_first_of("0123456789") == 1 ? 1 : 0);
  return digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9';
}

template <class T>
std::optional<T> parse_integer(std::string_view text) {
  if (has_leading_zero(text)) return {};
  return parse_whole<T>(text);
}

std::optional<double> parse_number(std::string_view text) {
  if (has_leading_zero(text)) return {};
  const auto value = parse_whole<double>(text);
  if (!value || !std::isfinite(*value)) return {};
  return value;
}

std::optional<double> parse_duration(std::string_view text) {
  if (text.empty()) return {};
  constexpr std::pair<char, double> kUnits[] = {{'s', 1.0}, {'m', 60.0}, {'h', 3600.0}};
  for (const auto& [unit, seconds] : kUnits) {
    if (text.back() != unit) continue;
    const auto count = parse_number(text.substr(0, text.size() - 1));
    if (!count || *count <= 0) return {};
    return *count * seconds;
  }
  return {};
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return {};
}

bool in_range(const OptionRange& range, double value) {
  return (range.open_min ? value > range.min : value >= range.min) &&
         (range.open_max ? value < range.max : value <= range.max);
}

std::string range_text(const OptionRange& range) {
  const bool low = std::isfinite(range.min);
  const bool high = std::isfinite(range.max);
  if (low && high) {
    return cat("in ", range.open_min ? '(' : '[', range.min, ", ", range.max,
               range.open_max ? ')' : ']');
  }
  if (low) return cat(range.open_min ? "> " : ">= ", range.min);
  if (high) return cat(range.open_max ? "< " : "<= ", range.max);
  return {};
}

constexpr std::string_view kTypeNames[] = {"true or false",
                                           "an integer",
                                           "an integer from 0 to 18446744073709551615",
                                           "a number",
                                           "a text",
                                           "an integer or two of them",
                                           "a list of integers",
                                           "a list of numbers",
                                           "a list of texts",
                                           "a duration such as 90s, 50m or 8h"};

bool is_list_type(OptionType type) {
  return type == OptionType::pair || type == OptionType::integers || type == OptionType::numbers ||
         type == OptionType::texts;
}

std::string needed_text(const OptionSpec& spec) {
  std::string text(kTypeNames[static_cast<std::size_t>(spec.type)]);
  if (spec.length > 0) text += cat(" of length ", spec.length);
  if (!spec.choices.empty()) {
    const std::vector<std::string> words = choices_of(spec);
    if (spec.type == OptionType::text) {
      text = cat("one of ", join(words));
    } else {
      text += cat(spec.type == OptionType::texts ? " of " : ", or ", join(words, " or "));
    }
  }
  if (spec.nullable()) text += ", or null";
  return text;
}

std::string given_text(const OptionInput& input) {
  if (input.is_null) return "null";
  if (!input.is_list) return cat('"', quoted(input.items.front()), '"');
  std::string text = "[";
  for (std::size_t i = 0; i < input.items.size(); ++i) {
    text += cat(i == 0 ? "" : ", ", quoted(input.items[i]));
  }
  return quoted(text + "]");
}

/// Reads every item with `parse` into a list; false when one is not of the type.
template <class T, class Parse>
bool parse_items(const OptionInput& input, Parse parse, std::vector<T>& out) {
  for (const std::string& item : input.items) {
    const std::optional<T> value = parse(item);
    if (!value) return false;
    out.push_back(*value);
  }
  return true;
}

template <class T>
std::optional<OptionValue> as_value(const std::optional<T>& value) {
  if (!value) return {};
  return OptionValue(OptionValue::Data(*value));
}

std::optional<OptionValue> parse_integers(const OptionInput& input) {
  std::vector<std::int64_t> list;
  if (!parse_items(input, parse_integer<std::int64_t>, list)) return {};
  return OptionValue(std::move(list));
}

bool is_choice(const OptionSpec& spec, const std::string& word) {
  const std::vector<std::string> words = choices_of(spec);
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// The first item of a list of words that is none of the choices.
std::string first_foreign_item(const OptionSpec& spec, const OptionInput& input) {
  if (spec.choices.empty()) return {};
  for (const std::string& item : input.items) {
    if (!is_choice(spec, item)) return item.empty() ? "\"\"" : item;
  }
  return {};
}

std::optional<OptionValue> parse_typed(const OptionSpec& spec, const OptionInput& input) {
  if (input.is_list && !is_list_type(spec.type)) return {};
  const bool is_text = spec.type == OptionType::text || spec.type == OptionType::texts;
  if (input.is_quoted && !is_text && spec.type != OptionType::duration) return {};
  const std::string first = input.items.empty() ? std::string() : input.items.front();
  switch (spec.type) {
    case OptionType::boolean:
      return as_value(parse_boolean(first));
    case OptionType::integer:
      return as_value(parse_integer<std::int64_t>(first));
    case OptionType::u64:
      return as_value(parse_integer<std::uint64_t>(first));
    case OptionType::number:
      return as_value(parse_number(first));
    case OptionType::duration:
      return as_value(parse_duration(first));
    case OptionType::text:
      if (!spec.choices.empty()) return {};
      return OptionValue(first);
    case OptionType::pair:
      if (input.items.empty() || input.items.size() > 2) return {};
      return parse_integers(input);
    case OptionType::integers:
      return parse_integers(input);
    case OptionType::numbers: {
      std::vector<double> list;
      if (!parse_items(input, parse_number, list)) return {};
      return OptionValue(std::move(list));
    }
    case OptionType::texts:
      if (!first_foreign_item(spec, input).empty()) return {};
      return OptionValue(input.items);
  }
  return {};
}

std::optional<double> out_of_range(const OptionSpec& spec, const OptionValue& value) {
  const auto check = [&](double x) {
    return in_range(spec.range, x) ? std::nullopt : std::optional(x);
  };
  const auto check_all = [&](const auto& list) -> std::optional<double> {
    for (const auto x : list) {
      if (const auto bad = check(static_cast<double>(x))) return bad;
    }
    return {};
  };
  if (const auto* i = std::get_if<std::int64_t>(&value.data()))
    return check(static_cast<double>(*i));
  if (const auto* u = std::get_if<std::uint64_t>(&value.data()))
    return check(static_cast<double>(*u));
  if (const auto* d = std::get_if<double>(&value.data())) return check(*d);
  if (const auto* l = std::get_if<std::vector<std::int64_t>>(&value.data())) return check_all(*l);
  if (const auto* l = std::get_if<std::vector<double>>(&value.data())) return check_all(*l);
  return {};
}

bool has_length(const OptionSpec& spec, std::size_t items) {
  return spec.length == 0 || items == static_cast<std::size_t>(spec.length);
}

std::string choice_hint(const OptionSpec& spec, const OptionInput& input) {
  if (spec.choices.empty() || input.items.empty() || input.is_null) return {};
  const std::string given =
      spec.type == OptionType::texts ? first_foreign_item(spec, input) : input.items.front();
  const std::string near = nearest_name(given, choices_of(spec));
  return near.empty() ? std::string() : cat("; did you mean `", near, "`?");
}

std::string item_text(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    constexpr char kHex[] = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += cat("\\u00", kHex[byte >> 4], kHex[byte & 15]);
    } else {
      out += c;
    }
  }
  return out + '"';
}
std::string item_text(double value) { return cat(value); }
std::string item_text(std::int64_t value) { return cat(value); }

struct ValueText {
  std::string operator()(std::monostate) const { return "null"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::uint64_t value) const { return cat(value); }
  std::string operator()(std::int64_t value) const { return item_text(value); }
  std::string operator()(double value) const { return item_text(value); }
  std::string operator()(const std::string& value) const { return item_text(value); }
  template <class T>
  std::string operator()(const std::vector<T>& list) const {
    std::string out = "[";
    for (const T& item : list) out += cat(out.size() > 1 ? ", " : "", item_text(item));
    return out + "]";
  }
};

}  // namespace

std::string to_string(const OptionValue& value) { return std::visit(ValueText{}, value.data()); }

OptionInput option_input(std::string_view text) {
  OptionInput input;
  text = trimmed(text);
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') {
    input.is_null = text == "null" || text == "~" || text.empty();
    input.items.emplace_back(text);
    return input;
  }
  input.is_list = true;
  text = trimmed(text.substr(1, text.size() - 2));
  while (!text.empty()) {
    const auto comma = text.find(',');
    std::string_view item = trimmed(text.substr(0, comma));
    const bool in_quotes = item.size() >= 2 && item.front() == item.back() &&
                           (item.front() == '"' || item.front() == '\'');
    if (in_quotes) item = item.substr(1, item.size() - 2);
    input.items.emplace_back(item);
    if (comma == std::string_view::npos) break;
    text = trimmed(text.substr(comma + 1));
  }
  return input;
}

std::vector<std::string> choices_of(const OptionSpec& spec) {
  std::vector<std::string> words;
  for (std::string_view rest = spec.choices; !rest.empty();) {
    const auto bar = rest.find('|');
    words.emplace_back(rest.substr(0, bar));
    rest = bar == std::string_view::npos ? std::string_view() : rest.substr(bar + 1);
  }
  return words;
}

std::string type_text(const OptionSpec& spec) {
  constexpr std::string_view kShort[] = {"bool",  "integer",           "integer",  "number",
                                         "text",  "integer or [h, w]", "integers", "numbers",
                                         "texts", "duration"};
  std::string text(kShort[static_cast<std::size_t>(spec.type)]);
  if (const std::string range = range_text(spec.range); !range.empty()) text += cat(' ', range);
  if (spec.length > 0) text += cat(" (", spec.length, ')');
  const std::string words = join(choices_of(spec), " | ");
  if (!words.empty()) {
    text = spec.type == OptionType::text    ? words
           : spec.type == OptionType::texts ? cat("list of ", words)
                                            : cat(text, " | ", words);
  }
  if (spec.nullable()) text += " | null";
  return text;
}

std::optional<OptionValue> read_option(const OptionSpec& spec, const OptionInput& input,
                                       std::string& problem) {
  if (input.is_null && !input.is_quoted && spec.nullable()) return OptionValue();
  const bool one_word = !input.is_list && !input.items.empty() && spec.type != OptionType::texts;
  if (one_word && is_choice(spec, input.items.front())) return OptionValue(input.items.front());
  const bool null_text = input.is_null && !input.is_quoted;
  std::optional<OptionValue> value = null_text ? std::nullopt : parse_typed(spec, input);
  if (!value || !has_length(spec, input.items.size())) {
    problem =
        cat("expects ", needed_text(spec), ", got ", given_text(input), choice_hint(spec, input));
    return {};
  }
  if (const auto bad = out_of_range(spec, *value)) {
    problem = cat("must be ", range_text(spec.range), ", got ", *bad);
    return {};
  }
  return value;
}

OptionValue initial_value(const OptionSpec& spec) {
  if (spec.required || spec.nullable()) return {};
  std::string problem;
  // A text option without a default starts empty; every other option names one.
  OptionInput input = option_input(spec.initial);
  if (spec.type == OptionType::text || spec.type == OptionType::texts) input.is_null = false;
  const auto value = read_option(spec, input, problem);
  if (!value) {
    throw Error(ErrorKind::internal, cat("default of option `", spec.name, "` ", problem));
  }
  return *value;
}

OptionValues::OptionValues(std::span<const OptionSpec> specs) {
  for (const OptionSpec& spec : specs) entries_.emplace_back(spec.name, initial_value(spec));
}

OptionValues OptionValues::parse(std::span<const OptionSpec> specs,
                                 std::span<const std::pair<std::string, std::string>> texts,
                                 std::string_view owner) {
  OptionValues values(specs);
  std::vector<std::string> names;
  for (const OptionSpec& spec : specs) names.emplace_back(spec.name);
  for (const auto& [name, text] : texts) {
    const auto spec = std::find_if(specs.begin(), specs.end(),
                                   [&](const OptionSpec& s) { return s.name == name; });
    if (spec == specs.end()) {
      const std::string near = nearest_name(name, names);
      throw Error(ErrorKind::config, cat(owner, ": unknown option `", quoted(name), '`'),
                  near.empty() ? cat("it takes ", join(names)) : cat("did you mean `", near, "`?"));
    }
    std::string problem;
    const auto value = read_option(*spec, option_input(text), problem);
    if (!value) throw Error(ErrorKind::config, cat(owner, ": `", name, "` ", problem));
    values.set(name, *value);
  }
  for (const OptionSpec& spec : specs) {
    if (spec.required && values.is_null(spec.name)) {
      throw Error(ErrorKind::config,
                  cat(owner, ": option `", spec.name, "` is required (", type_text(spec), ')'));
    }
  }
  return values;
}

const OptionValue& OptionValues::at(std::string_view name) const {
  for (const auto& [key, value] : entries_) {
    if (key == name) return value;
  }
  throw Error(ErrorKind::internal, cat("no option is called `", name, '`'));
}

bool OptionValues::has(std::string_view name) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const auto& entry) { return entry.first == name; });
}

void OptionValues::set(std::string_view name, OptionValue value) {
  for (auto& [key, old] : entries_) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  entries_.emplace_back(name, std::move(value));
}

namespace {

template <class T>
const T& get(const OptionValues& values, std::string_view name) {
  const OptionValue& value = values.at(name);
  if (const T* typed = std::get_if<T>(&value.data())) return *typed;
  throw Error(ErrorKind::internal,
              cat("option `", name, "` is ", to_string(value), ", read as another type"));
}

}  // namespace

bool OptionValues::boolean(std::string_view name) const { return get<bool>(*this, name); }
std::int64_t OptionValues::integer(std::string_view name) const {
  return get<std::int64_t>(*this, name);
}
std::uint64_t OptionValues::u64(std::string_view name) const {
  return get<std::uint64_t>(*this, name);
}
double OptionValues::number(std::string_view name) const { return get<double>(*this, name); }
const std::string& OptionValues::text(std::string_view name) const {
  return get<std::string>(*this, name);
}
std::array<std::int64_t, 2> OptionValues::pair(std::string_view name) const {
  const auto& list = get<std::vector<std::int64_t>>(*this, name);
  return {list.front(), list.back()};
}
const std::vector<std::int64_t>& OptionValues::integers(std::string_view name) const {
  return get<std::vector<std::int64_t>>(*this, name);
}
const std::vector<double>& OptionValues::numbers(std::string_view name) const {
  return get<std::vector<double>>(*this, name);
}
const std::vector<std::string>& OptionValues::texts(std::string_view name) const {
  return get<std::vector<std::string>>(*this, name);
}
bool OptionValues::is_text(std::string_view name) const {
  return std::holds_alternative<std::string>(at(name).data());
}

}  // namespace weft
