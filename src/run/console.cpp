// SPDX-License-Identifier: Apache-2.0
#include "run/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>

#include "run/json_line.h"
#include "run/run_folder.h"
#include "weft/base/text.h"

namespace weft {
namespace {

constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warn", "error"};

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view text = value;
    return text.find("UTF-8") != std::string_view::npos ||
           text.find("utf8") != std::string_view::npos;
  }
  return false;
}

int terminal_width(int descriptor) {
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// Control characters would break a line or a terminal.
std::string line_value(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c > ' ' && c != '"' && c != '=' && c < 0x7F;
  });
  return plain ? std::string(text) : json_string(text);
}

std::string of_total(std::int64_t part, std::optional<std::int64_t> total) {
  return total ? fmt::format("{}/{}", part, *total) : std::to_string(part);
}

LogField count_field(const char* key, std::int64_t part, std::optional<std::int64_t> total) {
  LogField field = LogField::integer(key, part);
  field.text = of_total(part, total);
  if (total) field.json = json_string(field.text);
  return field;
}

std::string rate_text(double per_second) {
  return per_second < 1000 ? fmt::format("{:.0f}", per_second)
                           : fmt::format("{:.0f}k", per_second / 1000);
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string bar_text(double share, int cells, bool unicode) {
  const int full = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * cells));
  std::string bar;
  for (int i = 0; i < cells; ++i) {
    if (unicode) {
      bar += i < full ? "━" : i == full ? "╸" : "─";
    } else {
      bar += i < full ? '#' : '-';
    }
  }
  return bar;
}

/// `file:line:column: message` taken apart; `line` is 0 when it does not begin so.
struct Place {
  std::string_view file;
  std::int64_t line = 0;
  std::int64_t column = 0;
  std::string_view message;
};

Place place_of(std::string_view text) {
  Place place{{}, 0, 0, text};
  const auto end = text.find(": ");
  if (end == std::string_view::npos) return place;
  std::string_view where = text.substr(0, end);
  std::int64_t numbers[2] = {};
  for (int i = 1; i >= 0; --i) {
    const auto colon = where.rfind(':');
    if (colon == std::string_view::npos) return place;
    const std::string_view digits = where.substr(colon + 1);
    const auto [stop, code] =
        std::from_chars(digits.data(), digits.data() + digits.size(), numbers[i]);
    if (code != std::errc() || stop != digits.data() + digits.size()) return place;
    where = where.substr(0, colon);
  }
  return {where, numbers[0], numbers[1], text.substr(end + 2)};
}

std::string column_name(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kSpoken[] = {{"train/loss", "train loss"},
                                                                       {"val/loss", "val loss"}};
  for (const auto& [key, spoken] : kSpoken) {
    if (name == key) return std::string(spoken);
  }
  return std::string(name.starts_with("val/") ? name.substr(4) : name);
}

}  // namespace

std::string_view name_of(LogLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

LogLevel log_level_named(std::string_view name) {
  const auto found = std::find(kLevels.begin(), kLevels.end(), name);
  return found == kLevels.end() ? LogLevel::info : static_cast<LogLevel>(found - kLevels.begin());
}

LogField LogField::word(std::string key, std::string_view value) {
  return {std::move(key), std::string(value), json_string(value)};
}
LogField LogField::integer(std::string key, std::int64_t value) {
  return {std::move(key), std::to_string(value), std::to_string(value)};
}
LogField LogField::number(std::string key, double value, std::string text) {
  return {std::move(key), std::move(text), json_number(value)};
}

std::string fixed4(double value) { return fmt::format("{:.4f}", value); }

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  if (whole >= 3600) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  if (whole >= 60) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}s", whole);
}

Console::Console(const ConsoleOptions& options)
    : options_(options), is_terminal_(isatty(options.descriptor) != 0), unicode_(locale_is_utf8()) {
  if (options_.format == LogFormat::automatic) {
    options_.format = is_terminal_ ? LogFormat::human : LogFormat::plain;
  }
}

Console::~Console() { clear_progress(); }

void Console::log(LogLevel level, std::string_view event, const std::vector<LogField>& fields) {
  if (level < level_) return;
  const std::string time = utc_now();
  JsonLine object;
  object.text("time", time).text("level", name_of(level)).text("event", event);
  for (const LogField& field : fields) object.raw(field.key, field.json);
  const std::string json = object.str();
  if (sink_) sink_(json);
  if (level < options_.shown) return;
  if (options_.format == LogFormat::json) return emit(json + "\n");
  const bool people = options_.format == LogFormat::human;
  if (people && level < LogLevel::warn) return;
  std::string line =
      people ? std::string(name_of(level)) + ":" : cat(time, ' ', name_of(level), ' ', event);
  for (const LogField& field : fields) {
    line += people && field.key == "msg" ? cat(' ', weft::quoted(field.text, 4096))
                                         : cat(' ', field.key, '=', line_value(field.text));
  }
  emit(line + "\n");
}

void Console::error(const Error& error) {
  std::string_view text = error.what();
  while (!text.empty()) {
    const auto end = text.find('\n');
    log_problem(error.kind(), text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

void Console::log_problem(ErrorKind kind, std::string_view text) {
  std::vector<LogField> fields;
  if (is_for_people()) {
    fields = {LogField::word("msg", text)};
  } else {
    const Place place = place_of(text);
    fields = {LogField::word("kind", name_of(kind))};
    if (place.line > 0) {
      fields.push_back(LogField::word("file", place.file));
      fields.push_back(LogField::integer("line", place.line));
      fields.push_back(LogField::integer("col", place.column));
    }
    fields.push_back(LogField::word("msg", place.message));
  }
  log(LogLevel::error, name_of(kind), fields);
}

void Console::warn(std::string_view message) {
  log(LogLevel::warn, "warning", {LogField::word("msg", message)});
}

void Console::text(std::string_view text) {
  if (is_for_people() && shows_info()) emit(text);
}

void Console::step(const StepLine& report) {
  const auto number = [](const char* key, double value, const char* format) {
    return LogField::number(key, value, fmt::format(fmt::runtime(format), value));
  };
  std::vector<LogField> fields = {count_field("epoch", report.epoch, report.epochs),
                                  count_field("step", report.step, report.steps),
                                  number("train/loss", report.loss, "{:.4f}"),
                                  number("lr", report.lr, "{:.2e}")};
  if (report.grad_norm) fields.push_back(number("grad_norm", *report.grad_norm, "{:.2f}"));
  fields.push_back(number("samples_s", report.samples_s, "{:.0f}"));
  if (report.eta)
    fields.push_back(LogField::number("eta", *report.eta, duration_text(*report.eta)));
  log(LogLevel::info, "step", fields);
  if (is_for_people()) draw_progress(report);
}

void Console::draw_progress(const StepLine& report) {
  const double now = seconds_now();
  if (!is_terminal_ || !shows_info() || now - last_drawn_ < 0.1) return;
  last_drawn_ = now;
  const std::string head = fmt::format("epoch {:>3} ", of_total(report.epoch, report.epochs));
  std::string tail = fmt::format(" {:3.0f} %  {} samples/s", report.epoch_share * 100,
                                 rate_text(report.samples_s));
  if (report.eta) tail += fmt::format("  ETA {}", clock_text(*report.eta));
  tail += fmt::format("  loss {:.4f}  lr {:.1e}", report.loss, report.lr);
  const int room =
      terminal_width(options_.descriptor) - 1 - static_cast<int>(head.size() + tail.size());
  emit(cat("\r", head, room > 4 ? bar_text(report.epoch_share, std::min(room, 24), unicode_) : "",
           tail, "\x1b[K"));
  progress_shown_ = true;
}

void Console::epoch(const EpochLine& report) {
  std::vector<LogField> fields = {count_field("epoch", report.epoch, report.epochs)};
  for (const auto& [name, value] : report.values) {
    fields.push_back(LogField::number(name, value, fmt::format("{:.4f}", value)));
  }
  if (report.best) fields.push_back(LogField::integer("best", 1));
  fields.push_back(
      LogField::number("time", report.seconds, fmt::format("{:.1f}s", report.seconds)));
  log(LogLevel::info, "epoch", fields);
  if (!is_for_people() || !shows_info()) return;

  std::string line;
  if (!table_begun_) {
    line = "  epoch";
    for (const auto& [name, value] : report.values)
      line += fmt::format("  {:>10}", column_name(name));
    line += "    time\n";
    table_begun_ = true;
  }
  line += fmt::format("{:>7}", report.epoch);
  for (const auto& [name, value] : report.values) line += fmt::format("  {:>10.4f}", value);
  emit(line + fmt::format("  {:>4.1f} s{}\n", report.seconds, report.best ? "  *" : ""));
}

void Console::emit(std::string_view text) {
  if (progress_shown_ && !text.starts_with('\r')) clear_progress();
  while (!text.empty()) {
    const ssize_t count = write(options_.descriptor, text.data(), text.size());
    if (count < 0 && errno != EINTR) return;
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Console::clear_progress() {
  if (!progress_shown_) return;
  progress_shown_ = false;
  emit("\r\x1b[K");
}

}  // namespace weft
