// SPDX-License-Identifier: Apache-2.0
#include "run/runs.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "run/process.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/io/file.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string status_of(const Json& run) {
  std::string status = run.at("status").get<std::string>();
  if (status != "running") return status;
  const Json& process = run.at("process");
  const ProcessId id{process.at("pid").get<std::int64_t>(),
                     process.at("start").get<std::uint64_t>(),
                     process.at("host").get<std::string>()};
  return may_be_alive(id) ? status : "died";
}

std::string text_or_empty(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

RunEntry parse_run(const fs::path& folder, std::string text) {
  const Json run = Json::parse(text);
  RunEntry entry;
  entry.folder = folder;
  entry.id = run.at("id").get<std::string>();
  entry.name = run.at("name").get<std::string>();
  entry.status = status_of(run);
  entry.start = run.at("start").get<std::string>();
  entry.end = text_or_empty(run.at("end"));
  if (run.at("exit_code").is_number()) entry.exit_code = run.at("exit_code").get<int>();
  entry.config_path = text_or_empty(run.at("config"));
  if (const Json& best = run.at("best"); best.is_object()) {
    entry.best_metric = best.at("metric").get<std::string>();
    if (best.at("value").is_number()) entry.best_value = best.at("value").get<double>();
    entry.best_epoch = best.at("epoch").get<std::int64_t>();
  }
  for (const auto& [name, values] : run.at("summary").items()) {
    if (values.at("last").is_number())
      entry.last.emplace_back(name, values.at("last").get<double>());
  }
  entry.json = std::move(text);
  return entry;
}

std::vector<std::string> ids_below(const fs::path& dir) {
  std::vector<std::string> ids;
  std::error_code code;
  for (const auto& item : fs::directory_iterator(dir, code)) {
    if (!item.is_symlink() && fs::exists(item.path() / "run.json", code))
      ids.push_back(item.path().filename().string());
  }
  std::sort(ids.rbegin(), ids.rend());
  return ids;
}

}  // namespace

RunEntry read_run(const fs::path& folder) {
  const fs::path file = folder / "run.json";
  std::string text = io::read_file(file);
  try {
    return parse_run(folder, std::move(text));
  } catch (const nlohmann::json::exception&) {
    throw Error(ErrorKind::data, "this is not the record of a run", {}, file.string());
  }
}

std::vector<RunEntry> list_runs(const fs::path& dir, std::vector<std::string>& skipped) {
  std::vector<RunEntry> runs;
  for (const std::string& id : ids_below(dir)) {
    try {
      runs.push_back(read_run(dir / id));
    } catch (const Error& error) {
      skipped.emplace_back(error.what());
    }
  }
  return runs;
}

fs::path find_run(const fs::path& dir, std::string_view run) {
  std::error_code code;
  fs::path as_path{std::string(run)};
  if (fs::exists(as_path / "run.json", code)) return as_path;
  if (run == "latest" && fs::exists(dir / "latest" / "run.json", code)) {
    const fs::path target = fs::read_symlink(dir / "latest", code);
    return code ? dir / "latest" : dir / target;
  }
  std::vector<std::string> matches;
  const std::vector<std::string> ids = ids_below(dir);
  for (const std::string& id : ids) {
    if (id == run) return dir / id;
    if (!run.empty() && id.ends_with(run)) matches.push_back(id);
  }
  if (matches.size() == 1) return dir / matches.front();
  if (matches.size() > 1) {
    throw Error(ErrorKind::config,
                cat("several runs end in `", weft::quoted(run), "`: ", join(matches)),
                "give more of the id");
  }
  throw Error(ErrorKind::config, cat("there is no run `", weft::quoted(run), "` in ", dir.string()),
              ids.empty() ? "start one with weft train"
                          : cat("the newest is ", ids.front(), "; weft runs list shows all"));
}

fs::path find_model(const fs::path& dir, const std::string& text) {
  std::error_code code;
  if (fs::is_regular_file(text, code)) return text;
  const fs::path folder = find_run(dir, text);
  const fs::path model = folder / "model.safetensors";
  if (fs::exists(model, code)) return model;
  throw Error(ErrorKind::model_file,
              "the run has no model.safetensors: it ended before its first evaluation", {},
              folder.string());
}

}  // namespace weft
