// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "weft/train/trainer.h"

namespace weft {

/// Follows one figure and tells when it has become better than ever.
class Monitor {
 public:
  /// `figure` is `train/loss`, `val/loss` or `val/<metric>`. Throws Error(value) naming `option`
  /// when there is no such figure.
  Monitor(std::string_view option, std::string figure, Better better, double min_delta,
          const metric::MetricSet& metrics, bool validates);

  const std::string& figure() const { return figure_; }
  /// Whether `values` holds the figure, and better than the best so far by more than min_delta;
  /// then it is the best. NaN is never better.
  bool improved(const NamedValues& values);

 private:
  std::string figure_;
  bool higher_ = false;
  double min_delta_ = 0;
  std::optional<double> best_;
};

}  // namespace weft
