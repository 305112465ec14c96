// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "weft/metric/metric.h"

namespace weft::metric {

/// For each class: how often it was right, predicted, and the truth. Outputs are scores [..., C],
/// the class is the first of the largest; targets are class numbers [...] or scores like the
/// outputs.
class WEFT_API ClassCounts {
 public:
  /// Throws Error(shape) when `output` and `target` do not fit each other or earlier batches,
  /// Error(index) on a target outside [0, C) that is not `ignore_index`.
  void add(const Tensor& output, const Tensor& target, std::int64_t ignore_index);
  void clear() { *this = {}; }

  std::size_t classes() const { return actual_.size(); }
  std::int64_t right(std::size_t c) const { return right_[c]; }
  std::int64_t predicted(std::size_t c) const { return predicted_[c]; }
  std::int64_t actual(std::size_t c) const { return actual_[c]; }
  std::int64_t samples() const;
  std::int64_t all_right() const;

 private:
  std::vector<std::int64_t> right_;
  std::vector<std::int64_t> predicted_;
  std::vector<std::int64_t> actual_;
};

/// Share of samples whose largest score is the target's.
class WEFT_API Accuracy : public Metric {
 public:
  explicit Accuracy(std::int64_t ignore_index = -100);
  bool higher_is_better() const override { return true; }
  void update(const Tensor& output, const Tensor& target) override;
  Value compute() const override;
  void reset() override { counts_.clear(); }

 private:
  std::int64_t ignore_index_;
  ClassCounts counts_;
};

/// How one figure is made of those of the classes: from the counts of all together, their mean, or
/// their mean weighted by the classes' samples.
enum class Average : std::uint8_t { micro, macro, weighted };
enum class ClassScore : std::uint8_t { precision, recall, f1 };

/// Precision right/predicted, recall right/actual, or f1, their harmonic mean: 2 right / (predicted
/// + actual). A class with a zero denominator counts as 0, and the value's note says so. Called
/// `f1`, or `f1_micro` and `f1_weighted`.
class WEFT_API ClassScoreMetric : public Metric {
 public:
  explicit ClassScoreMetric(ClassScore score, Average average = Average::macro,
                            std::int64_t ignore_index = -100);
  bool higher_is_better() const override { return true; }
  void update(const Tensor& output, const Tensor& target) override;
  Value compute() const override;
  void reset() override { counts_.clear(); }

 private:
  ClassScore score_;
  Average average_;
  std::int64_t ignore_index_;
  ClassCounts counts_;
};

}  // namespace weft::metric
