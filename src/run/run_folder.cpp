// SPDX-License-Identifier: Apache-2.0
#include "run/run_folder.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <ctime>

#include "run/process.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/io/file.h"

namespace weft {
namespace {

[[noreturn]] void fail_io(const std::filesystem::path& path, std::string_view what) {
  throw Error(ErrorKind::io, cat(what, ": ", std::strerror(errno)), {}, path.string());
}

std::string utc(const char* format) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

std::string json_list(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) out += cat(out.size() > 1 ? "," : "", json_string(item));
  return out + "]";
}

std::string summary_json(const std::vector<MetricSummary>& summary) {
  JsonLine all;
  for (const MetricSummary& metric : summary) {
    JsonLine one;
    one.number("last", metric.last).number("best", metric.best);
    one.number("mean", metric.sum / static_cast<double>(metric.count));
    one.number("min", metric.min).number("max", metric.max);
    all.raw(metric.name, one.str());
  }
  return all.str();
}

std::string to_json(const RunRecord& record) {
  const ProcessId process = this_process();
  JsonLine run;
  run.text("schema", "weft.run/1").text("id", record.id).text("name", record.name);
  run.text("status", name_of(record.status)).text("start", record.start);
  run.raw("end", record.end.empty() ? "null" : json_string(record.end));
  run.raw("exit_code", record.exit_code ? std::to_string(*record.exit_code) : "null");
  run.raw("command", json_list(record.command)).text("config", record.config_path);
  JsonLine best;
  if (!record.best_metric.empty()) {
    best.integer("epoch", record.best_epoch).integer("step", record.best_step);
    best.text("metric", record.best_metric).number("value", record.best_value);
  }
  run.raw("best", best.empty() ? "null" : best.str());
  run.raw("summary", summary_json(record.summary));
  JsonLine fingerprints;
  for (const auto& [name, value] : record.fingerprints) fingerprints.text(name, value);
  run.raw("fingerprints", fingerprints.str());
  JsonLine who;
  who.integer("pid", process.pid).integer("start", static_cast<std::int64_t>(process.start));
  who.text("host", process.host);
  return run.raw("process", who.str()).str() + "\n";
}

/// Replaces `link` by one to `target`, never leaving it absent. A file system without links is no
/// reason to stop.
void point_latest_at(const std::filesystem::path& dir, const std::string& target) {
  const std::filesystem::path temporary = dir / cat(".latest-", target);
  std::error_code code;
  std::filesystem::create_symlink(target, temporary, code);
  if (code) return;
  std::filesystem::rename(temporary, dir / "latest", code);
  if (code) std::filesystem::remove(temporary, code);
}

}  // namespace

LineFile::LineFile(std::filesystem::path path)
    : path_(std::move(path)),
      descriptor_(open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail_io(path_, "cannot open for writing");
}

LineFile::~LineFile() { close(descriptor_); }

void LineFile::write(std::string_view line) {
  const std::string text = cat(line, '\n');
  ssize_t count = -1;
  do {
    count = ::write(descriptor_, text.data(), text.size());
  } while (count < 0 && errno == EINTR);
  if (count == static_cast<ssize_t>(text.size())) return;
  if (count >= 0) errno = ENOSPC;
  fail_io(path_, "cannot write");
}

std::string to_json(const MetricRecord& record) {
  JsonLine line;
  line.text("kind", record.kind).integer("step", record.step).integer("epoch", record.epoch);
  if (!record.event.empty()) line.text("event", record.event).text("reason", record.reason);
  if (record.best) line.boolean("best", *record.best);
  JsonLine values;
  JsonLine nonfinite;
  for (const auto& [name, value] : record.values) {
    values.number(name, value);
    if (std::isnan(value)) nonfinite.text(name, "nan");
    if (std::isinf(value)) nonfinite.text(name, value > 0 ? "inf" : "-inf");
  }
  if (!values.empty()) line.raw("values", values.str());
  if (!nonfinite.empty()) line.raw("nonfinite", nonfinite.str());
  JsonLine perf;
  for (const auto& [name, json] : record.perf) perf.raw(name, json);
  if (!perf.empty()) line.raw("perf", perf.str());
  return line.str();
}

std::string_view name_of(RunStatus status) {
  constexpr std::array<std::string_view, 6> kNames = {"running", "done",        "early_stopped",
                                                      "budget",  "interrupted", "failed"};
  return kNames[static_cast<std::size_t>(status)];
}

std::string new_run_id() {
  std::array<unsigned char, 6> random{};
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    throw Error(ErrorKind::io, cat("cannot draw a run id: ", std::strerror(errno)));
  }
  // RFC 4648 base32, lower case: no 0, 1, 8, 9 to confuse with letters.
  std::string id = utc("%Y%m%d-%H%M%S-");
  for (const unsigned char byte : random) id += "abcdefghijklmnopqrstuvwxyz234567"[byte & 31];
  return id;
}

std::string utc_now() { return utc("%Y-%m-%dT%H:%M:%SZ"); }

RunFolder::RunFolder(std::filesystem::path path, RunRecord record)
    : path_(std::move(path)), record_(std::move(record)) {}

RunFolder RunFolder::create(const std::filesystem::path& dir, RunRecord record) {
  std::error_code code;
  std::filesystem::create_directories(dir, code);
  if (code)
    throw Error(ErrorKind::io, cat("cannot make the folder: ", code.message()), {}, dir.string());
  do {
    record.id = new_run_id();
  } while (!std::filesystem::create_directory(dir / record.id, code) && !code);
  if (code)
    throw Error(ErrorKind::io, cat("cannot make the folder: ", code.message()), {},
                (dir / record.id).string());
  record.start = utc_now();
  std::filesystem::path path = dir / record.id;
  RunFolder folder(std::move(path), std::move(record));
  folder.save();
  point_latest_at(dir, folder.id());
  return folder;
}

void RunFolder::write(std::string_view name, std::string_view contents) const {
  io::write_file_atomically(path_ / name, contents);
}

void RunFolder::add(const MetricRecord& record) {
  summarise(record);
  if (!lines_) return;
  if (metrics_ == nullptr) {
    metrics_ = std::make_unique<LineFile>(path_ / "metrics.jsonl");
    metrics_->write(JsonLine().text("schema", "weft.metrics/1").text("run", record_.id).str());
  }
  metrics_->write(to_json(record));
}

void RunFolder::add_log(std::string_view json) {
  if (!lines_) return;
  if (log_ == nullptr) log_ = std::make_unique<LineFile>(path_ / "log.jsonl");
  log_->write(json);
}

void RunFolder::summarise(const MetricRecord& record) {
  if (record.kind == "train") return;
  for (const auto& [name, value] : record.values) {
    auto found = std::find_if(record_.summary.begin(), record_.summary.end(),
                              [&](const MetricSummary& metric) { return metric.name == name; });
    if (found == record_.summary.end()) {
      const bool smaller =
          name.ends_with("loss") || name.ends_with("/mae") || name.ends_with("/mse");
      record_.summary.push_back({name, value, value, 0, value, value, 0, !smaller});
      found = std::prev(record_.summary.end());
    }
    found->last = value;
    found->sum += value;
    found->min = std::min(found->min, value);
    found->max = std::max(found->max, value);
    found->best = found->larger_is_better ? found->max : found->min;
    ++found->count;
  }
}

void RunFolder::finish(RunStatus status, int exit_code) {
  record_.status = status;
  record_.exit_code = exit_code;
  record_.end = utc_now();
  save();
}

void RunFolder::save() const { write("run.json", to_json(record_)); }

}  // namespace weft
