// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "run/model_file.h"
#include "weft/data/csv.h"

namespace weft {

struct PredictionTable {
  std::vector<std::string> columns;
  /// Numbers as printed in JSON; texts as they are, marked by `is_text` per column.
  std::vector<std::vector<std::string>> rows;
  std::vector<bool> is_text;
  /// Columns of the data that the model does not know.
  std::vector<std::string> extra_columns;
};

struct PredictOptions {
  bool keep_inputs = false;  ///< all cells of the data come first
  Device device = {};
  std::int64_t batch_size = 256;
};

/// Reads `data` and runs the model over it: `row,prediction,probability,p_<class>...`, or
/// `row,<target>...` for numbers. Rows count from 1. Error(data) for a column that is missing.
PredictionTable predict(LoadedModel& model, const std::filesystem::path& data,
                        const PredictOptions& options);

std::string to_csv(const PredictionTable& table);
std::string to_json(const PredictionTable& table);

}  // namespace weft
