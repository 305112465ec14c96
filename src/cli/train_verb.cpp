// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/options.h"
#include "cli/verbs.h"
#include "run/exit_code.h"
#include "run/process.h"
#include "run/session.h"

namespace weft::cli {
namespace {

struct Given {
  std::string file;
  ConfigFlags flags;
  bool dry_run = false;
  bool quiet = false;
  std::string format = "auto";
};

LogFormat format_named(const std::string& name) {
  if (name == "plain") return LogFormat::plain;
  return name == "json" ? LogFormat::json : LogFormat::automatic;
}

int train_verb(const Given& given, Console& console) {
  const Config config = load_config(given.file, given.flags.overrides());
  if (given.dry_run) {
    print(check_run(config));
    return 0;
  }
  console.set_level(log_level_named(config.log.level));
  const bool silent = std::find(config.log.sinks.begin(), config.log.sinks.end(), "console") ==
                      config.log.sinks.end();
  if (silent) console.show_only(LogLevel::error);
  const ContextScope scope(make_context(config));
  Prepared prepared = prepare(config);
  return train(config, prepared, {.config_path = given.file, .command = command_line()}, console)
      .exit_code;
}

}  // namespace

void add_train(CLI::App& app, int& exit_code) {
  auto given = std::make_shared<Given>();
  CLI::App* verb = app.add_subcommand("train", "train as a config says, into a run folder");
  verb->add_option("CONFIG", given->file, "YAML or JSON")->required();
  given->flags.add_to(*verb);
  verb->add_flag("--dry-run", given->dry_run,
                 "everything before the first step: weft config check");
  verb->add_flag("--quiet", given->quiet, "warnings and errors only");
  verb->add_option("--log-format", given->format,
                   "of stderr; auto: for people on a terminal, else plain")
      ->check(CLI::IsMember({"auto", "plain", "json"}))
      ->capture_default_str();
  verb->callback([given, &exit_code] {
    Console console({.format = format_named(given->format),
                     .shown = given->quiet ? LogLevel::warn : LogLevel::info});
    try {
      exit_code = train_verb(*given, console);
    } catch (const Error& error) {
      console.error(error);
      exit_code = exit_code_of(error.kind());
    }
  });
}

}  // namespace weft::cli
