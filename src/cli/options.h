// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "run/config_reader.h"

namespace weft::cli {

/// The flags that change a config: --set K=V and those that stand for one key.
struct ConfigFlags {
  std::vector<std::string> sets;
  std::string device;
  std::string seed;
  std::string threads;
  std::string name;
  std::string max_time;

  void add_to(CLI::App& verb);
  /// Environment first, then flags. Warns on stderr of variables that nobody reads.
  std::vector<Override> overrides() const;
};

/// `text` padded to `width` with spaces.
std::string padded(std::string_view text, std::size_t width);
/// Rows of cells as aligned columns.
std::string aligned(const std::vector<std::vector<std::string>>& rows);
/// Writes to stdout; Error(io) when that fails (a full disk, a closed pipe).
void print(std::string_view text);

}  // namespace weft::cli
