// SPDX-License-Identifier: Apache-2.0
#include "weft/op/fields.h"

#include <charconv>
#include <cstring>
#include <vector>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {

namespace {

const std::byte* field_at(const void* attrs, const Field& field) {
  return static_cast<const std::byte*>(attrs) + field.offset;
}

template <class T>
T load(const void* attrs, const Field& field) {
  T value;
  std::memcpy(&value, field_at(attrs, field), sizeof(T));
  return value;
}

template <class T>
void store(void* attrs, const Field& field, const T& value) {
  std::memcpy(static_cast<std::byte*>(attrs) + field.offset, &value, sizeof(T));
}

std::string value_text(const Field& field, const void* attrs) {
  switch (field.type) {
    case FieldType::boolean:
      return load<bool>(attrs, field) ? "true" : "false";
    case FieldType::integer:
      return cat(load<std::int64_t>(attrs, field));
    case FieldType::real:
      return cat(load<double>(attrs, field));
    case FieldType::dtype:
      return to_string(load<DType>(attrs, field));
    case FieldType::dims:
      return to_string(load<Dims>(attrs, field));
    case FieldType::choice:
      return std::string(field.choices[load<std::uint8_t>(attrs, field)]);
  }
  return {};
}

template <class T>
bool parse_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool parse_dims(std::string_view text, Dims& dims) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return false;
  text = text.substr(1, text.size() - 2);
  dims = {};
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string_view item = text.substr(0, comma);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    std::int64_t value = 0;
    if (!parse_number(item, value) || dims.rank() == kMaxRank) return false;
    dims.push_back(value);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return true;
}

std::string_view type_text(FieldType type) {
  switch (type) {
    case FieldType::boolean:
      return "true or false";
    case FieldType::integer:
      return "an integer";
    case FieldType::real:
      return "a number";
    case FieldType::dtype:
      return "a dtype";
    case FieldType::dims:
      return "a list of at most 8 integers, [1,2]";
    case FieldType::choice:
      return "one of";
  }
  return {};
}

[[noreturn]] void reject(const Field& field, std::string_view value) {
  std::string needed(type_text(field.type));
  for (std::size_t i = 0; i < field.choices.size(); ++i) {
    needed += cat(i == 0 ? " " : ", ", field.choices[i]);
  }
  throw Error(ErrorKind::value,
              cat("attribute `", field.name, "` is \"", quoted(value), "\" but must be ", needed));
}

bool parse_choice(const Field& field, void* attrs, std::string_view value) {
  for (std::size_t i = 0; i < field.choices.size(); ++i) {
    if (field.choices[i] == value) {
      store(attrs, field, static_cast<std::uint8_t>(i));
      return true;
    }
  }
  return false;
}

template <class T>
bool parse_into(const Field& field, void* attrs, std::string_view text) {
  T value{};
  if (!parse_number(text, value)) return false;
  store(attrs, field, value);
  return true;
}

bool parse_field(const Field& field, void* attrs, std::string_view value) {
  switch (field.type) {
    case FieldType::boolean:
      store(attrs, field, value == "true");
      return value == "true" || value == "false";
    case FieldType::integer:
      return parse_into<std::int64_t>(field, attrs, value);
    case FieldType::real:
      return parse_into<double>(field, attrs, value);
    case FieldType::dtype: {
      const auto dtype = dtype_named(value);
      if (dtype) store(attrs, field, *dtype);
      return dtype.has_value();
    }
    case FieldType::dims: {
      Dims dims;
      if (!parse_dims(value, dims)) return false;
      store(attrs, field, dims);
      return true;
    }
    case FieldType::choice:
      return parse_choice(field, attrs, value);
  }
  return false;
}

constexpr std::uint64_t kHashStart = 14695981039346656037ull;

void hash_bytes(std::uint64_t& hash, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 1099511628211ull;
}

}  // namespace

std::string attrs_text(const AttrsInfo& info, const void* attrs) {
  std::string text = "{";
  for (const Field& field : info.fields) {
    if (text.size() > 1) text += ", ";
    text += cat(field.name, "=", value_text(field, attrs));
  }
  return text + "}";
}

void set_attr(const AttrsInfo& info, void* attrs, std::string_view name, std::string_view value) {
  std::vector<std::string> names;
  for (const Field& field : info.fields) {
    if (field.name == name) {
      if (!parse_field(field, attrs, value)) reject(field, value);
      return;
    }
    names.emplace_back(field.name);
  }
  const std::string near = nearest_name(name, names);
  throw Error(ErrorKind::value, cat("unknown attribute `", quoted(name), "`"),
              near.empty() ? cat("known: ", join(names)) : cat("did you mean `", near, "`?"));
}

bool attrs_equal(const AttrsInfo& info, const void* a, const void* b) {
  for (const Field& field : info.fields) {
    if (field.type == FieldType::dims) {
      if (!(load<Dims>(a, field) == load<Dims>(b, field))) return false;
      continue;
    }
    const std::size_t size =
        field.type == FieldType::integer || field.type == FieldType::real ? 8 : 1;
    if (std::memcmp(field_at(a, field), field_at(b, field), size) != 0) return false;
  }
  return true;
}

std::uint64_t attrs_hash(const AttrsInfo& info, const void* attrs) {
  std::uint64_t hash = kHashStart;
  for (const Field& field : info.fields) {
    const std::string text = value_text(field, attrs);
    hash_bytes(hash, text.data(), text.size());
    hash_bytes(hash, ";", 1);
  }
  return hash;
}

std::uint64_t layout_hash(const AttrsInfo& info) {
  std::uint64_t hash = kHashStart;
  hash_bytes(hash, &info.size, sizeof(info.size));
  for (const Field& field : info.fields) {
    hash_bytes(hash, field.name.data(), field.name.size());
    hash_bytes(hash, &field.type, sizeof(field.type));
    hash_bytes(hash, &field.offset, sizeof(field.offset));
  }
  return hash;
}

}  // namespace weft
