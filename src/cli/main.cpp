// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>

#include "cli/verbs.h"
#include "run/exit_code.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/base/version.h"
#include "weft/op/plugin.h"

namespace weft::cli {
namespace {

void print_error(std::string_view text) {
  while (true) {
    const auto end = text.find('\n');
    std::fprintf(stderr, "error: %s\n", std::string(text.substr(0, end)).c_str());
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

int report_usage(const CLI::App& app, const CLI::ParseError& error, int count, char** arguments) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  const bool unknown_verb = count > 1 && app.get_subcommands().empty() && arguments[1][0] != '-';
  if (!unknown_verb) {
    print_error(cat(error.what(), "; weft --help shows the verbs, weft VERB --help their flags"));
    return kExitUsage;
  }
  std::vector<std::string> verbs;
  for (const CLI::App* verb : app.get_subcommands({})) verbs.push_back(verb->get_name());
  const std::string near = nearest_name(arguments[1], verbs);
  print_error(
      cat("there is no verb `", weft::quoted(arguments[1]), "`; ",
          near.empty() ? cat("there are ", join(verbs)) : cat("did you mean `weft ", near, "`?")));
  return kExitUsage;
}

/// WEFT_PLUGINS names shared objects with further ops and layers, separated by colons.
void load_plugins() {
  const char* variable = std::getenv("WEFT_PLUGINS");
  std::string_view paths = variable != nullptr ? variable : "";
  while (!paths.empty()) {
    const auto end = std::min(paths.find(':'), paths.size());
    if (end > 0) load_plugin(std::string(paths.substr(0, end)));
    paths.remove_prefix(std::min(end + 1, paths.size()));
  }
}

int run(int count, char** arguments) {
  int exit_code = 0;
  CLI::App app("Weft trains neural networks from a config file.", "weft");
  app.set_version_flag("--version", std::string("weft ") + build_id());
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  add_demo(app, exit_code);
  add_train(app, exit_code);
  add_evaluate(app);
  add_predict(app);
  add_config(app);
  add_runs(app);
  add_listings(app);
  add_devices(app);
  add_doctor(app);
  try {
    load_plugins();
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error, count, arguments);
  } catch (const Error& error) {
    print_error(error.what());
    return exit_code_of(error.kind());
  } catch (const std::bad_alloc&) {
    print_error("out of memory");
    return exit_code_of(ErrorKind::memory);
  } catch (const std::exception& error) {
    print_error(error.what());
    return kExitOther;
  }
  return exit_code;
}

}  // namespace
}  // namespace weft::cli

int main(int count, char** arguments) {
  // A file beyond the size limit is then a failed write (exit code 8) and not the end of the
  // process.
  std::signal(SIGXFSZ, SIG_IGN);
  return weft::cli::run(count, arguments);
}
