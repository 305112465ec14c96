// SPDX-License-Identifier: Apache-2.0
#include "train/monitor.h"

#include <cmath>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {

Monitor::Monitor(std::string_view option, std::string figure, Better better, double min_delta,
                 const metric::MetricSet& metrics, bool validates)
    : figure_(std::move(figure)), min_delta_(min_delta) {
  constexpr std::string_view kValidation = "val/";
  const bool of_validation = figure_.starts_with(kValidation);
  if (of_validation && !validates) {
    throw Error(ErrorKind::value,
                cat("trainer: ", option, " is ", figure_, " but there is no validation data"),
                "pass validation data, or monitor train/loss");
  }
  bool known = figure_ == "train/loss" || figure_ == "val/loss";
  if (!known && of_validation) {
    const metric::Metric* metric = metrics.find(figure_.substr(kValidation.size()));
    known = metric != nullptr;
    higher_ = known && metric->higher_is_better();
  }
  if (!known) {
    throw Error(ErrorKind::value,
                cat("trainer: ", option, " is `", quoted(figure_), "` but there is no such figure"),
                "figures are train/loss, val/loss and val/ with a metric's name");
  }
  if (better != Better::automatic) higher_ = better == Better::higher;
}

bool Monitor::improved(const NamedValues& values) {
  const std::optional<double> value = find_value(values, figure_);
  if (!value || std::isnan(*value)) return false;
  const double gain = !best_ ? INFINITY : higher_ ? *value - *best_ : *best_ - *value;
  if (!(gain > min_delta_)) return false;
  best_ = value;
  return true;
}

}  // namespace weft
