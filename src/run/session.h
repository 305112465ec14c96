// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "run/config.h"
#include "run/console.h"
#include "run/prepare.h"
#include "weft/train/trainer.h"

namespace weft {

struct TrainRequest {
  std::filesystem::path config_path;
  std::vector<std::string> command;
  bool print_results = true;  ///< `run <path>`, `best/epoch 15`, ... on stdout
};

struct TrainOutcome {
  std::filesystem::path folder;
  int exit_code = 0;
  FitResult fit = {};
  std::optional<Evaluation> test = {};
};

/// Trains as the config says, under the context that `make_context` gives, and leaves a run folder;
/// the model then holds its best weights. What goes wrong is told on the console, recorded in the
/// folder, and in `exit_code`. Throws only when there can be no folder.
TrainOutcome train(const Config& config, Prepared& prepared, const TrainRequest& request,
                   Console& console);

/// The loader that evaluation and prediction use.
data::DataLoader evaluation_loader(const Config& config,
                                   std::shared_ptr<const data::Dataset> dataset);

}  // namespace weft
