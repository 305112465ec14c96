// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weft {

/// Where a value comes from.
struct Origin {
  enum class Kind { initial, file, environment, flag };
  Kind kind = Kind::initial;
  /// The file, the variable, or the flag as typed.
  std::string name;
  int line = 0;
  int column = 0;

  /// What an error starts with: `digits.yaml:12:3`, `WEFT_SEED`, `--set train.epochs=x`.
  std::string where() const;
  /// `default`, `digits.yaml:12`, `environment WEFT_SEED`, `flag --set train.epochs=3`.
  std::string text() const;
};

/// A document of YAML or JSON as written: every pair in file order, scalars untyped, positions
/// kept.
struct YamlNode {
  enum class Kind { null, scalar, sequence, map };
  struct Key {
    std::string name;
    Origin origin;
  };

  Kind kind = Kind::null;
  bool quoted = false;
  std::string scalar;
  std::vector<Key> keys;        ///< of a map; `keys[i]` names `items[i]`
  std::vector<YamlNode> items;  ///< of a map or sequence
  Origin origin;

  /// The value of `key`, or nullptr.
  const YamlNode* find(std::string_view key) const;
  YamlNode* find(std::string_view key);
};

inline constexpr int kMaxYamlDepth = 64;
inline constexpr std::size_t kMaxYamlBytes = 4 << 20;

/// Reads YAML or JSON. Error(config) with `file:line:column` for anything that readers disagree on:
/// duplicate keys, anchors, aliases, merge keys, tags, further documents, keys that are no scalars,
/// bytes that are no UTF-8, NUL, nesting beyond 64.
YamlNode parse_yaml(std::string_view text, const std::string& file);

}  // namespace weft
