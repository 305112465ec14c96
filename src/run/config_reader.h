// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "run/config.h"
#include "run/yaml_document.h"

namespace weft {

/// A value from outside the file: `train.epochs` = `3` from an environment variable or a flag.
struct Override {
  std::string path;
  std::string text;
  Origin origin;
};

/// `--set model.layers.fc1.out=128`. Error(config) when it is no `key=value`.
Override set_override(std::string_view text);
/// A flag that stands for a key: `--seed 3`.
Override flag_override(std::string_view flag, std::string_view path, std::string_view text);
/// What the variables that start with WEFT_ say, sorted by name. Names that are neither a key nor
/// known add a line to `warnings`.
std::vector<Override> environment_overrides(
    std::span<const std::pair<std::string, std::string>> environment,
    std::vector<std::string>& warnings);
/// The variables of this process that start with WEFT_.
std::vector<std::pair<std::string, std::string>> weft_environment();

/// Reads and checks a config; later overrides win. Every problem is found before one Error(config)
/// names them all, a line each. Error(io) when the file cannot be read.
Config load_config(const std::filesystem::path& file, std::span<const Override> overrides = {});
/// The same from text; relative paths in it are relative to `base`.
Config parse_config(std::string_view text, const std::string& file,
                    std::span<const Override> overrides = {},
                    const std::filesystem::path& base = {});

}  // namespace weft
