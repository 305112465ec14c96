// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "run/config.h"
#include "weft/data/tabular.h"
#include "weft/loss/loss.h"
#include "weft/metric/metric.h"
#include "weft/nn/sequential.h"
#include "weft/optim/optimizer.h"
#include "weft/optim/schedule.h"

/// A config's sections become objects. What a layer or table says against its options is passed on
/// as Error(config) with the place in the file.
namespace weft {

/// True when the targets are classes: as the config says, else as the loss needs.
bool wants_classes(const Config& config);

data::TabularOptions tabular_options(const Config& config);
data::TabularData load_data(const Config& config);

/// The network for samples of shape `input`. `outputs` is what the data asks of the last layer:
/// classes or numeric targets. Weights are drawn from the current session.
nn::Sequential build_model(const Config& config, const Shape& input, std::int64_t outputs);

loss::Loss build_loss(const Config& config, const std::vector<std::int64_t>& class_counts,
                      Device device);
std::vector<metric::MetricPtr> build_metrics(const Config& config);
optim::Optimizer build_optimizer(const Config& config, std::span<const Parameter> parameters);
optim::Schedule build_schedule(const Config& config);

/// The device that `device` asks for; `auto` takes a GPU when there is one. Error(device).
Device build_device(const Config& config);

}  // namespace weft
