// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "run/json_line.h"

namespace weft {

/// A file of lines, each appended by one write(): readers never see half a line.
class LineFile {
 public:
  explicit LineFile(std::filesystem::path path);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;
  /// Error(io).
  void write(std::string_view line);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// A line of metrics.jsonl. All that comes from a clock or from memory stands in `perf`.
struct MetricRecord {
  using Values = std::vector<std::pair<std::string, double>>;
  std::string kind;  ///< train | epoch | test | event
  std::int64_t step = 0;
  std::int64_t epoch = 0;
  std::optional<bool> best = {};
  std::string event = {};  ///< with kind event: what happened, and why
  std::string reason = {};
  Values values = {};
  std::vector<std::pair<std::string, std::string>> perf = {};  ///< values as JSON
};
/// `{"kind":"train","step":10,...}`; NaN and infinities are null, and named under `nonfinite`.
std::string to_json(const MetricRecord& record);

/// Last, best, mean, least and greatest value of a metric over a run.
struct MetricSummary {
  std::string name;
  double last = 0;
  double best = 0;
  double sum = 0;
  double min = 0;
  double max = 0;
  std::int64_t count = 0;
  bool larger_is_better = false;
};

enum class RunStatus : std::uint8_t { running, done, early_stopped, budget, interrupted, failed };
std::string_view name_of(RunStatus status);

/// What run.json holds.
struct RunRecord {
  std::string id;
  std::string name;
  RunStatus status = RunStatus::running;
  std::string start;
  std::string end;
  std::optional<int> exit_code;
  std::vector<std::string> command;
  std::string config_path;  ///< absolute, where the file was
  std::int64_t best_epoch = 0;
  std::int64_t best_step = 0;
  std::string best_metric;
  double best_value = 0;
  std::vector<MetricSummary> summary;
  std::vector<std::pair<std::string, std::string>> fingerprints;
};

/// `20261120-142233-k7f3q2`: UTC time and 30 random bits; sorts by time.
std::string new_run_id();
/// `2026-11-20T14:22:33Z`
std::string utc_now();

/// The folder of one run, from its creation to its end.
class RunFolder {
 public:
  /// Makes `dir`/<id> and points `dir`/latest at it. Error(io).
  static RunFolder create(const std::filesystem::path& dir, RunRecord record);

  const std::filesystem::path& path() const { return path_; }
  const std::string& id() const { return record_.id; }
  RunRecord& record() { return record_; }

  /// Writes a file of the folder, whole or not at all.
  void write(std::string_view name, std::string_view contents) const;
  /// Appends to metrics.jsonl and keeps the summary.
  void add(const MetricRecord& record);
  /// Appends to log.jsonl.
  void add_log(std::string_view json);
  /// Stops writing metrics.jsonl and log.jsonl (sink jsonl not asked for).
  void without_lines() { lines_ = false; }
  void finish(RunStatus status, int exit_code);

 private:
  RunFolder(std::filesystem::path path, RunRecord record);
  void save() const;
  void summarise(const MetricRecord& record);

  std::filesystem::path path_;
  RunRecord record_;
  std::unique_ptr<LineFile> metrics_;
  std::unique_ptr<LineFile> log_;
  bool lines_ = true;
};

}  // namespace weft
