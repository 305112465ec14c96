// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "run/config.h"
#include "weft/data/tabular.h"
#include "weft/nn/sequential.h"

namespace weft {

/// A model with what it takes to use it: how it is built and how columns become its inputs.
struct LoadedModel {
  Config config;
  data::Preprocessing preprocessing;
  nn::Sequential model;
};

/// Writes model.safetensors: parameters and buffers by module path, config and preprocessing as
/// metadata.
void save_model(const std::filesystem::path& path, const nn::Sequential& model,
                const Config& config, const data::TabularData& data);
/// Error(model_file) naming what is missing or does not fit, Error(io).
LoadedModel load_model(const std::filesystem::path& path);

}  // namespace weft
