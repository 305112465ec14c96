// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::cli {

void ConfigFlags::add_to(CLI::App& verb) {
  verb.add_option("--set", sets, "a key of the config: --set train.epochs=3")
      ->type_name("K=V")
      ->allow_extra_args(false);
  verb.add_option("--device", device, "auto, cpu, cuda or cuda:N");
  verb.add_option("--seed", seed, "of every random stream");
  verb.add_option("--threads", threads, "0 is all the process may use");
  verb.add_option("--name", name, "of the run");
  verb.add_option("--max-time", max_time, "wall time: 90s, 50m, 8h");
}

std::vector<Override> ConfigFlags::overrides() const {
  std::vector<std::string> warnings;
  const auto environment = weft_environment();
  std::vector<Override> overrides = environment_overrides(environment, warnings);
  for (const std::string& warning : warnings)
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  for (const std::string& text : sets) overrides.push_back(set_override(text));
  struct Flag {
    const char* flag;
    const char* path;
    const std::string& text;
  };
  const Flag flags[] = {{"--device", "device", device},
                        {"--seed", "seed", seed},
                        {"--threads", "threads", threads},
                        {"--name", "name", name},
                        {"--max-time", "train.max_time", max_time}};
  for (const Flag& flag : flags) {
    if (!flag.text.empty()) overrides.push_back(flag_override(flag.flag, flag.path, flag.text));
  }
  return overrides;
}

std::string padded(std::string_view text, std::size_t width) {
  return cat(text, std::string(text.size() < width ? width - text.size() : 0, ' '));
}

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += i + 1 < row.size() ? padded(row[i], widths[i] + 2) : row[i];
    }
    while (text.ends_with(' ')) text.pop_back();
    text += '\n';
  }
  return text;
}

void print(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written)
    throw Error(ErrorKind::io, cat("cannot write: ", std::strerror(errno)), {}, "stdout");
}

}  // namespace weft::cli
