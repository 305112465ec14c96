// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "run/config.h"
#include "weft/core/context.h"
#include "weft/data/loader.h"
#include "weft/data/tabular.h"
#include "weft/loss/loss.h"
#include "weft/metric/metric.h"
#include "weft/nn/sequential.h"
#include "weft/optim/optimizer.h"
#include "weft/optim/schedule.h"

namespace weft {

/// Everything that a run needs before its first step.
struct Prepared {
  Device device;
  data::TabularData data;
  nn::Sequential model;
  loss::Loss loss;
  std::vector<metric::MetricPtr> metrics;
  optim::Optimizer optimizer;
  optim::Schedule schedule;
};

/// The context that a config asks for: device and seed. Sets the number of threads.
Context make_context(const Config& config);

/// Reads the data and builds everything under the current context, which must be `make_context`'s.
Prepared prepare(const Config& config);

data::LoaderOptions train_loader_options(const Config& config);
std::int64_t steps_per_epoch(const Config& config, std::int64_t samples);
/// Updates that epochs and max_steps allow; nullopt when only time ends the run.
std::optional<std::int64_t> total_steps(const Config& config, std::int64_t samples);

/// `1,797 samples -> train 1,259, val 179, test 359; 64 features, 10 classes`
std::string data_text(const data::TabularData& data);

/// Everything before the first step, and a summary of it.
std::string check_run(const Config& config);

}  // namespace weft
