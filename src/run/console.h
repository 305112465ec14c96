// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/base/error.h"

namespace weft {

enum class LogLevel : std::uint8_t { debug, info, warn, error };
std::string_view name_of(LogLevel level);
LogLevel log_level_named(std::string_view name);

/// `automatic`: for people on a terminal, plain lines elsewhere.
enum class LogFormat : std::uint8_t { automatic, human, plain, json };

/// A key of a record, as printed in a line and as JSON.
struct LogField {
  std::string key;
  std::string text;
  std::string json;

  static LogField word(std::string key, std::string_view value);
  static LogField integer(std::string key, std::int64_t value);
  /// `text` is printed on the line, `value` in full in JSON.
  static LogField number(std::string key, double value, std::string text);
};

struct StepLine {
  std::int64_t epoch = 0;
  std::optional<std::int64_t> epochs = {};
  std::int64_t step = 0;
  std::optional<std::int64_t> steps = {};
  double loss = 0;
  double lr = 0;
  std::optional<double> grad_norm = {};
  double samples_s = 0;
  std::optional<double> eta = {};  ///< seconds
  double epoch_share = 0;          ///< of this epoch that is done, 0 to 1
};

struct EpochLine {
  std::int64_t epoch = 0;
  std::optional<std::int64_t> epochs = {};
  std::vector<std::pair<std::string, double>> values = {};
  bool best = false;
  double seconds = 0;
};

struct ConsoleOptions {
  LogFormat format = LogFormat::automatic;
  LogLevel shown =
      LogLevel::info;  ///< the least level that is shown; `copy_to` gets all that are recorded
  int descriptor = 2;  ///< where it writes
};

/// What a run says on stderr while it goes: a progress line and a table for people, else one record
/// a line.
class Console {
 public:
  explicit Console(const ConsoleOptions& options);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Every record also goes there, as one JSON object (log.jsonl).
  void copy_to(std::function<void(std::string_view json)> sink) { sink_ = std::move(sink); }
  /// The least level that is recorded, shown or not.
  void set_level(LogLevel level) { level_ = level; }
  void show_only(LogLevel level) { options_.shown = std::max(options_.shown, level); }
  bool is_for_people() const { return options_.format == LogFormat::human; }

  void log(LogLevel level, std::string_view event, const std::vector<LogField>& fields);
  /// One record per problem, with the file's name and place as fields.
  void error(const Error& error);
  /// A warning in a sentence.
  void warn(std::string_view message);
  /// Tables and headings, for people only.
  void text(std::string_view text);
  void step(const StepLine& report);
  void epoch(const EpochLine& report);

 private:
  void emit(std::string_view text);
  void log_problem(ErrorKind kind, std::string_view text);
  void clear_progress();
  void draw_progress(const StepLine& report);

  bool shows_info() const { return options_.shown <= LogLevel::info && level_ <= LogLevel::info; }

  ConsoleOptions options_;
  LogLevel level_ = LogLevel::info;
  bool is_terminal_ = false;
  bool unicode_ = false;
  bool progress_shown_ = false;
  bool table_begun_ = false;
  double last_drawn_ = 0;
  std::function<void(std::string_view)> sink_;
};

/// `0.9972`
std::string fixed4(double value);
/// `2s`, `1m05s`, `2h07m`
std::string duration_text(double seconds);

}  // namespace weft
