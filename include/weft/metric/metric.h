// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/core/tensor.h"
#include "weft/nn/options.h"
#include "weft/nn/registry.h"

namespace weft::metric {

/// A metric's value. `note` says what a reader should know of it: a zero denominator that counts as
/// 0.
struct Value {
  double value = 0;
  std::string note = {};
};

/// A figure over many batches, computed on the host in f64, in the order of the samples.
class WEFT_API Metric {
 public:
  explicit Metric(std::string name) : name_(std::move(name)) {}
  virtual ~Metric();
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;

  const std::string& name() const { return name_; }
  virtual bool higher_is_better() const = 0;
  /// Adds a batch. Tensors of a device are copied to the host, which waits: see `MetricSet`.
  virtual void update(const Tensor& output, const Tensor& target) = 0;
  /// Of all batches since the last reset.
  virtual Value compute() const = 0;
  virtual void reset() = 0;

 private:
  std::string name_;
};
using MetricPtr = std::shared_ptr<Metric>;

/// Several metrics over the same batches. Batches on a device are kept there, up to 64 MiB, and
/// read when values are wanted, so that an evaluation does not wait for each of its batches.
class WEFT_API MetricSet {
 public:
  MetricSet() = default;
  /// Throws Error(value) when two have one name.
  explicit MetricSet(std::vector<MetricPtr> metrics);

  void update(const Tensor& output, const Tensor& target);
  /// Names and values in the order of the metrics.
  std::vector<std::pair<std::string, Value>> compute();
  void reset();

  /// nullptr when there is none of that name.
  const Metric* find(std::string_view name) const;
  bool empty() const { return metrics_.empty(); }

 private:
  void drain();

  std::vector<MetricPtr> metrics_;
  std::vector<std::pair<Tensor, Tensor>> pending_;
  std::size_t pending_bytes_ = 0;
};

/// sum(value · weight) / sum(weight) in f64: the mean loss over batches of different sizes.
class WEFT_API WeightedMean {
 public:
  void add(double value, double weight) {
    sum_ += value * weight;
    weight_ += weight;
  }
  /// 0 when nothing was added.
  double value() const { return weight_ > 0 ? sum_ / weight_ : 0; }
  double weight() const { return weight_; }
  void reset() { *this = {}; }

 private:
  double sum_ = 0;
  double weight_ = 0;
};

/// What a metric made from a config file may need to know of the task.
struct MetricTask {
  std::int64_t ignore_index = -100;  ///< targets of this class count for nothing
};
using MetricFactory = std::function<MetricPtr(const OptionValues& options, const MetricTask& task)>;
/// All metrics that a config file may name: accuracy, precision, recall, f1, mae, r2, and what was
/// added since.
WEFT_API Registry<MetricFactory>& metric_registry();

}  // namespace weft::metric
