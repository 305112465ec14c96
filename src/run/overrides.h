// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "run/config_reader.h"
#include "run/yaml_document.h"

namespace weft {

/// Puts a value into the tree before it is checked, so that errors and origins name the flag or
/// variable. Maps on the way are made; list items are addressed by number or `name`. Error(config)
/// when that is impossible.
void apply_override(YamlNode& root, const Override& override);
/// Gives `node` and everything below it one origin.
void set_origin(YamlNode& node, const Origin& origin);

}  // namespace weft
