// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>

/// The verbs of the program. Each adds its subcommand; what a subcommand does throws weft::Error.
/// One that can end otherwise without success (a run that was interrupted) leaves its exit code.
namespace weft::cli {

void add_train(CLI::App& app, int& exit_code);
void add_evaluate(CLI::App& app);
void add_predict(CLI::App& app);
void add_demo(CLI::App& app, int& exit_code);
void add_config(CLI::App& app);
void add_runs(CLI::App& app);
/// ops, layers, losses, optimizers, schedulers, metrics
void add_listings(CLI::App& app);
void add_devices(CLI::App& app);
void add_doctor(CLI::App& app);

}  // namespace weft::cli
