// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft {

/// `text` as a JSON string, quotes included. Invalid UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);
/// The shortest decimal that reads back, as a float when the value is one; null for NaN and
/// infinities.
std::string json_number(double value);

/// One JSON object on one line, keys in the order of the calls.
class JsonLine {
 public:
  JsonLine& raw(std::string_view key, std::string_view json);
  JsonLine& text(std::string_view key, std::string_view value) {
    return raw(key, json_string(value));
  }
  JsonLine& number(std::string_view key, double value) { return raw(key, json_number(value)); }
  JsonLine& integer(std::string_view key, std::int64_t value) {
    return raw(key, std::to_string(value));
  }
  JsonLine& boolean(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  bool empty() const { return body_.empty(); }
  /// `{...}`
  std::string str() const { return "{" + body_ + "}"; }

 private:
  std::string body_;
};

}  // namespace weft
