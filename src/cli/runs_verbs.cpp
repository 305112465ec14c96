// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>

#include "cli/options.h"
#include "cli/verbs.h"
#include "run/runs.h"
#include "weft/base/text.h"

namespace weft::cli {
namespace {

struct Given {
  std::string dir = "runs";
  std::string run;
  bool json = false;
};

std::string best_text(const RunEntry& run) {
  return run.best_metric.empty() ? "-" : fmt::format("{} {:.4f}", run.best_metric, run.best_value);
}

std::string last_text(const RunEntry& run, std::string_view name) {
  for (const auto& [key, value] : run.last) {
    if (key == name) return fmt::format("{:.4f}", value);
  }
  return "-";
}

void list(const Given& given) {
  std::vector<std::string> skipped;
  const std::vector<RunEntry> runs = list_runs(given.dir, skipped);
  for (const std::string& message : skipped) std::fprintf(stderr, "warning: %s\n", message.c_str());
  if (given.json) {
    std::string text = "[";
    for (const RunEntry& run : runs) text += cat(text.size() > 1 ? "," : "", run.json);
    return print(text + "]\n");
  }
  std::vector<std::vector<std::string>> rows = {
      {"id", "name", "status", "best", "epoch", "test/accuracy", "start"}};
  for (const RunEntry& run : runs) {
    rows.push_back({run.id, run.name, run.status, best_text(run),
                    run.best_epoch > 0 ? std::to_string(run.best_epoch) : "-",
                    last_text(run, "test/accuracy"), run.start});
  }
  print(aligned(rows));
}

void show(const Given& given) {
  const RunEntry run = read_run(find_run(given.dir, given.run));
  if (given.json) return print(run.json);
  std::vector<std::vector<std::string>> rows = {
      {"run", run.folder.string()},
      {"name", run.name},
      {"status", run.status},
      {"start", run.start},
      {"end", run.end.empty() ? "-" : run.end},
      {"exit code", run.exit_code ? std::to_string(*run.exit_code) : "-"},
      {"config", run.config_path},
      {"best", run.best_metric.empty()
                   ? "-"
                   : fmt::format("{} at epoch {}", best_text(run), run.best_epoch)}};
  for (const auto& [name, value] : run.last) rows.push_back({name, fmt::format("{:.4f}", value)});
  print(aligned(rows));
}

}  // namespace

void add_runs(CLI::App& app) {
  auto given = std::make_shared<Given>();
  CLI::App* runs = app.add_subcommand("runs", "list or show runs");
  runs->require_subcommand(1);
  CLI::App* list_verb = runs->add_subcommand("list", "all runs, newest first");
  CLI::App* show_verb = runs->add_subcommand("show", "one run");
  show_verb->add_option("RUN", given->run, "a path, an id, its unique last part, or latest")
      ->required();
  for (CLI::App* verb : {list_verb, show_verb}) {
    verb->add_option("--dir", given->dir, "the folder of runs")->capture_default_str();
    verb->add_flag("--json", given->json, "as JSON");
  }
  list_verb->callback([given] { list(*given); });
  show_verb->callback([given] { show(*given); });
}

}  // namespace weft::cli
