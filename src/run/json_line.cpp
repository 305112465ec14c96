// SPDX-License-Identifier: Apache-2.0
#include "run/json_line.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "weft/base/text.h"

namespace weft {

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  const bool is_float = std::abs(value) <= std::numeric_limits<float>::max() &&
                        static_cast<double>(static_cast<float>(value)) == value;
  std::string text = is_float ? cat(static_cast<float>(value)) : cat(value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

JsonLine& JsonLine::raw(std::string_view key, std::string_view json) {
  body_ += cat(body_.empty() ? "" : ",", json_string(key), ":", json);
  return *this;
}

}  // namespace weft
