// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "weft/data/loader.h"
#include "weft/loss/loss.h"
#include "weft/metric/metric.h"
#include "weft/nn/module.h"

namespace weft {

/// Figures by name, in a fixed order.
using NamedValues = std::vector<std::pair<std::string, double>>;
/// The value called `name`, if there is one.
WEFT_API std::optional<double> find_value(const NamedValues& values, std::string_view name);

struct Evaluation {
  NamedValues values;              ///< `loss`, then the metrics
  std::vector<std::string> notes;  ///< what a reader should know of them
  std::int64_t samples = 0;
};

struct EvaluateOptions {
  Device device = {};  ///< where the model is
  /// Batches at most; all by default.
  std::optional<std::int64_t> max_batches = {};
};

/// Runs `model` over `batches` in evaluation mode without gradients. The loss is the mean over
/// samples; padding counts for nothing. Waits for the device once, at the end.
WEFT_API Evaluation evaluate(nn::Module& model, const loss::Loss& loss, metric::MetricSet& metrics,
                             data::DataLoader& batches, const EvaluateOptions& options = {});

/// The outputs of `model` for all samples of `batches` in order, on the CPU: [samples, ...]. Throws
/// Error(value) when there are none.
WEFT_API Tensor predict(nn::Module& model, data::DataLoader& batches,
                        const EvaluateOptions& options = {});

}  // namespace weft
