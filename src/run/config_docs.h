// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "run/config.h"

/// What the tables of schema.cpp print.
namespace weft {

/// A JSON Schema (draft 2020-12) of config files, for editors.
std::string config_schema_json();
/// docs/config.md.
std::string config_markdown();
/// `train.epochs  15` a line per key; with `origins` a third column.
std::string config_text(const Config& config, bool origins);

}  // namespace weft
