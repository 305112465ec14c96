// SPDX-License-Identifier: Apache-2.0
#include "run/overrides.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "run/config_reader.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {
namespace {

struct Variable {
  std::string_view name;
  std::string_view path;  ///< empty: read by the library or by our tools
};
constexpr Variable kVariables[] = {
    {"WEFT_DEVICE", "device"},
    {"WEFT_SEED", "seed"},
    {"WEFT_NUM_THREADS", "threads"},
    {"WEFT_PRECISION", "precision"},
    {"WEFT_LOG_LEVEL", "log.level"},
    {"WEFT_CACHE_DIR", ""},
    {"WEFT_PLUGINS", ""},
    {"WEFT_RUN_DIR", ""},
    {"WEFT_TEST_DATA", ""},
    {"WEFT_ERROR_GALLERY", ""},
};

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> parts;
  while (true) {
    const auto dot = path.find('.');
    parts.emplace_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    path.remove_prefix(dot + 1);
  }
}

/// `TRAIN__BATCH_SIZE` is train.batch_size.
std::string key_of_variable(std::string_view name) {
  std::string key;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (name.substr(i).starts_with("__")) {
      key += '.';
      ++i;
    } else {
      key += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return key;
}

/// The value a flag or variable gives: YAML when it looks like a list, map or quoted text, else the
/// bare text.
YamlNode override_value(const Override& override) {
  const std::string& text = override.text;
  YamlNode node;
  if (!text.empty() && std::string_view("[{\"'").find(text.front()) != std::string_view::npos) {
    try {
      node = parse_yaml(text, "value");
    } catch (const Error& error) {
      throw Error(ErrorKind::config, error.message(), error.hint(), override.origin.where());
    }
  } else if (text.empty() || text == "null" || text == "~") {
    node.kind = YamlNode::Kind::null;
  } else {
    node.kind = YamlNode::Kind::scalar;
    node.scalar = text;
  }
  set_origin(node, override.origin);
  return node;
}

[[noreturn]] void fail(const Override& override, std::string message, std::string hint = {}) {
  throw Error(ErrorKind::config, std::move(message), std::move(hint), override.origin.where());
}

YamlNode& list_item(YamlNode& list, const std::string& part, const Override& override) {
  std::size_t index = 0;
  const auto [end, code] = std::from_chars(part.data(), part.data() + part.size(), index);
  if (code == std::errc() && end == part.data() + part.size()) {
    if (index < list.items.size()) return list.items[index];
    fail(override, cat('`', override.path, "`: index ", index, " of a list of ", list.items.size()),
         "the first is 0");
  }
  std::vector<std::string> names;
  for (YamlNode& item : list.items) {
    const YamlNode* name = item.find("name");
    if (name == nullptr) continue;
    if (name->scalar == part) return item;
    names.push_back(name->scalar);
  }
  const std::string near = nearest_name(part, names);
  fail(override,
       cat('`', override.path, "`: nothing in the list is called `", weft::quoted(part), '`'),
       !near.empty()    ? cat("did you mean `", near, "`?")
       : !names.empty() ? cat("there are ", join(names))
                        : "address it by its number, from 0");
}

YamlNode& map_item(YamlNode& map, const std::string& part, const Override& override) {
  if (map.kind == YamlNode::Kind::null) map.kind = YamlNode::Kind::map;
  if (map.kind == YamlNode::Kind::scalar) {
    fail(override, cat('`', override.path, "`: `", weft::quoted(part),
                       "` would stand under the value \"", weft::quoted(map.scalar), '"'));
  }
  if (YamlNode* found = map.find(part)) return *found;
  map.keys.push_back({part, override.origin});
  map.items.emplace_back();
  map.items.back().origin = override.origin;
  return map.items.back();
}

}  // namespace

void set_origin(YamlNode& node, const Origin& origin) {
  node.origin = origin;
  for (YamlNode::Key& key : node.keys) key.origin = origin;
  for (YamlNode& item : node.items) set_origin(item, origin);
}

void apply_override(YamlNode& root, const Override& override) {
  YamlNode value = override_value(override);
  YamlNode* node = &root;
  for (const std::string& part : split_path(override.path)) {
    if (part.empty())
      fail(override, cat("`", weft::quoted(override.path), "` is no key"),
           "keys look like train.epochs");
    node = node->kind == YamlNode::Kind::sequence ? &list_item(*node, part, override)
                                                  : &map_item(*node, part, override);
  }
  *node = std::move(value);
}

Override set_override(std::string_view text) {
  const auto equals = text.find('=');
  const Origin origin{Origin::Kind::flag, cat("--set ", weft::quoted(text))};
  if (equals == std::string_view::npos || equals == 0) {
    throw Error(ErrorKind::config, "expects KEY=VALUE", "for example --set train.epochs=3",
                origin.where());
  }
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)), origin};
}

Override flag_override(std::string_view flag, std::string_view path, std::string_view text) {
  return {std::string(path),
          std::string(text),
          {Origin::Kind::flag, cat(flag, ' ', weft::quoted(text))}};
}

std::vector<Override> environment_overrides(
    std::span<const std::pair<std::string, std::string>> environment,
    std::vector<std::string>& warnings) {
  std::vector<Override> overrides;
  for (const auto& [name, value] : environment) {
    const Origin origin{Origin::Kind::environment, name};
    const auto known =
        std::find_if(std::begin(kVariables), std::end(kVariables),
                     [&](const Variable& variable) { return variable.name == name; });
    if (known != std::end(kVariables)) {
      if (!known->path.empty()) overrides.push_back({std::string(known->path), value, origin});
      continue;
    }
    const std::string_view path = std::string_view(name).substr(std::string_view("WEFT_").size());
    if (path.find("__") == std::string_view::npos) {
      std::vector<std::string> names;
      for (const Variable& variable : kVariables) names.emplace_back(variable.name);
      const std::string near = nearest_name(name, names);
      warnings.push_back(cat(weft::quoted(name), ": no such variable; ignored",
                             near.empty() ? std::string() : cat("; did you mean ", near, '?')));
      continue;
    }
    overrides.push_back({key_of_variable(path), value, origin});
  }
  return overrides;
}

std::vector<std::pair<std::string, std::string>> weft_environment() {
  std::vector<std::pair<std::string, std::string>> found;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (!text.starts_with("WEFT_") || equals == std::string_view::npos) continue;
    found.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace weft
