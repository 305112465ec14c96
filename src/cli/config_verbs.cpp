// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"
#include "cli/verbs.h"
#include "run/config_docs.h"
#include "run/config_reader.h"
#include "run/prepare.h"

namespace weft::cli {
namespace {

struct Given {
  std::string file;
  ConfigFlags flags;
  bool origin = false;
  bool json = false;
  bool markdown = false;
};

void add_file(CLI::App& verb, Given& given) {
  verb.add_option("CONFIG", given.file, "YAML or JSON")->required();
  given.flags.add_to(verb);
}

void show(const Given& given) {
  const Config config = load_config(given.file, given.flags.overrides());
  print(given.json ? resolved_json(config) + "\n" : config_text(config, given.origin));
}

}  // namespace

void add_config(CLI::App& app) {
  auto given = std::make_shared<Given>();
  CLI::App* config = app.add_subcommand("config", "show, check or describe configs");
  config->require_subcommand(1);

  CLI::App* show_verb = config->add_subcommand("show", "every key with the value in force");
  add_file(*show_verb, *given);
  show_verb->add_flag("--origin", given->origin, "and where it comes from");
  show_verb->add_flag("--json", given->json, "as one JSON object");
  show_verb->callback([given] { show(*given); });

  CLI::App* check =
      config->add_subcommand("check", "everything before the first step, and no step");
  add_file(*check, *given);
  check->callback(
      [given] { print(check_run(load_config(given->file, given->flags.overrides()))); });

  CLI::App* schema =
      config->add_subcommand("schema", "all keys, types, ranges and defaults, as JSON Schema");
  schema->add_flag("--markdown", given->markdown, "as docs/config.md");
  schema->callback([given] { print(given->markdown ? config_markdown() : config_schema_json()); });
}

}  // namespace weft::cli
