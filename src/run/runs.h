// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft {

/// A run as `weft runs list` sees it.
struct RunEntry {
  std::filesystem::path folder;
  std::string id;
  std::string name;
  std::string status;  ///< as in run.json; `died` when it says running and the process is gone
  std::string start;
  std::string end;
  std::optional<int> exit_code;
  std::string config_path;
  std::string best_metric;
  double best_value = 0;
  std::int64_t best_epoch = 0;
  std::vector<std::pair<std::string, double>> last;  ///< last value of every metric
  std::string json;                                  ///< run.json
};

/// Reads the run.json of a folder. Error(data) when it is none of ours, Error(io).
RunEntry read_run(const std::filesystem::path& folder);
/// All runs below `dir`, newest first. Folders without a readable run.json are named in `skipped`.
std::vector<RunEntry> list_runs(const std::filesystem::path& dir,
                                std::vector<std::string>& skipped);
/// The folder of a run: a path, an id, its unique last part, or `latest`. Error(config) with what
/// is there.
std::filesystem::path find_run(const std::filesystem::path& dir, std::string_view run);
/// The model file of a run, or `text` itself when it names a file.
std::filesystem::path find_model(const std::filesystem::path& dir, const std::string& text);

}  // namespace weft
