// SPDX-License-Identifier: Apache-2.0
#include "run/config.h"

#include <nlohmann/json.hpp>

#include "weft/base/text.h"

namespace weft {
namespace {

using Json = nlohmann::ordered_json;

/// Adds `value` at a dotted path; a part that is a number addresses a list.
void put(Json& root, std::string_view path, Json value) {
  Json* node = &root;
  while (true) {
    const auto dot = path.find('.');
    const std::string part(path.substr(0, dot));
    const bool is_index = part.find_first_not_of("0123456789") == std::string::npos;
    node = is_index ? &(*node)[static_cast<std::size_t>(std::stoul(part))] : &(*node)[part];
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
  *node = std::move(value);
}

Json nested(const Config& config) {
  Json root = Json::object();
  for (const Setting& setting : config.settings) put(root, setting.path, Json::parse(setting.json));
  return root;
}

}  // namespace

const Setting* Config::setting(std::string_view path) const {
  for (const Setting& setting : settings) {
    if (setting.path == path) return &setting;
  }
  return nullptr;
}

std::string Config::where(std::string_view path) const {
  const Setting* found = setting(path);
  return found == nullptr || found->origin.kind == Origin::Kind::initial ? std::string()
                                                                         : found->origin.where();
}

std::string resolved_json(const Config& config) { return nested(config).dump(); }

std::string model_json(const Config& config) {
  Json root = nested(config);
  for (const char* key : {"name", "device", "threads", "log"}) root.erase(key);
  return root.dump();
}

std::string origins_json(const Config& config) {
  Json root = Json::object();
  for (const Setting& setting : config.settings) {
    root[setting.path] = {{"value", Json::parse(setting.json)}, {"origin", setting.origin.text()}};
  }
  return root.dump(2) + "\n";
}

}  // namespace weft
