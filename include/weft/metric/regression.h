// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "weft/metric/metric.h"

namespace weft::metric {

/// mean(|output - target|) over all elements; both have one shape.
class WEFT_API MAE : public Metric {
 public:
  MAE() : Metric("mae") {}
  bool higher_is_better() const override { return false; }
  void update(const Tensor& output, const Tensor& target) override;
  Value compute() const override { return {mean_.value(), {}}; }
  void reset() override { mean_.reset(); }

 private:
  WeightedMean mean_;
};

/// Coefficient of determination 1 - sum((y - output)²) / sum((y - mean y)²) of each target column,
/// and their mean. A column whose targets are all equal counts as 0, and the note says so.
class WEFT_API R2 : public Metric {
 public:
  R2() : Metric("r2") {}
  bool higher_is_better() const override { return true; }
  void update(const Tensor& output, const Tensor& target) override;
  Value compute() const override;
  void reset() override { columns_.clear(); }

 private:
  struct Column {
    double count = 0;
    double mean = 0;
    double spread = 0;  ///< sum((y - mean)²), by Welford's update
    double residual = 0;
  };
  std::vector<Column> columns_;
};

}  // namespace weft::metric
