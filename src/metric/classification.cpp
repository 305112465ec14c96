// SPDX-License-Identifier: Apache-2.0
#include "weft/metric/classification.h"

#include <algorithm>
#include <numeric>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::metric {
namespace {

std::size_t first_largest(const double* scores, std::size_t count) {
  return static_cast<std::size_t>(std::max_element(scores, scores + count) - scores);
}

/// Class numbers of `target`, which holds numbers [...] or scores [..., C].
std::vector<std::int64_t> target_classes(const Tensor& output, const Tensor& target) {
  const Shape& shape = output.shape();
  const std::vector<double> values = target.to_vector();
  std::vector<std::int64_t> out;
  if (target.shape() == shape && is_floating(target.dtype())) {
    const auto classes = static_cast<std::size_t>(shape.back());
    for (std::size_t row = 0; row * classes < values.size(); ++row) {
      out.push_back(static_cast<std::int64_t>(first_largest(&values[row * classes], classes)));
    }
    return out;
  }
  if (target.shape() != shape.without(shape.rank() - 1) || is_floating(target.dtype())) {
    throw Error(ErrorKind::shape, cat("metric: output is ", describe(output), " and target is ",
                                      describe(target), ", but targets must be class numbers ",
                                      shape.without(shape.rank() - 1), " or scores ", shape));
  }
  for (const double value : values) out.push_back(static_cast<std::int64_t>(value));
  return out;
}

double ratio(double numerator, double denominator) {
  return denominator > 0 ? numerator / denominator : 0;
}

}  // namespace

void ClassCounts::add(const Tensor& output, const Tensor& target, std::int64_t ignore_index) {
  if (output.rank() == 0 || output.shape().back() == 0) {
    throw Error(ErrorKind::shape,
                cat("metric: output is ", describe(output), " but must be scores [..., C]"));
  }
  const auto classes = static_cast<std::size_t>(output.shape().back());
  if (actual_.empty()) {
    right_.resize(classes);
    predicted_.resize(classes);
    actual_.resize(classes);
  }
  if (classes != actual_.size()) {
    throw Error(ErrorKind::shape, cat("metric: output is ", describe(output),
                                      " but earlier batches had ", actual_.size(), " classes"));
  }
  const std::vector<double> scores = output.to_vector();
  const std::vector<std::int64_t> wanted = target_classes(output, target);
  for (std::size_t row = 0; row < wanted.size(); ++row) {
    if (wanted[row] == ignore_index) continue;
    if (wanted[row] < 0 || wanted[row] >= static_cast<std::int64_t>(classes)) {
      throw Error(ErrorKind::index, cat("metric: target[", row, "] is ", wanted[row],
                                        " but output has ", classes, " classes"));
    }
    const auto truth = static_cast<std::size_t>(wanted[row]);
    const std::size_t guess = first_largest(&scores[row * classes], classes);
    ++actual_[truth];
    ++predicted_[guess];
    if (guess == truth) ++right_[truth];
  }
}

std::int64_t ClassCounts::samples() const {
  return std::accumulate(actual_.begin(), actual_.end(), std::int64_t{0});
}
std::int64_t ClassCounts::all_right() const {
  return std::accumulate(right_.begin(), right_.end(), std::int64_t{0});
}

Accuracy::Accuracy(std::int64_t ignore_index) : Metric("accuracy"), ignore_index_(ignore_index) {}

void Accuracy::update(const Tensor& output, const Tensor& target) {
  counts_.add(output, target, ignore_index_);
}

Value Accuracy::compute() const {
  const std::int64_t samples = counts_.samples();
  if (samples == 0) return {0, "accuracy is 0 because there were no samples"};
  return {ratio(static_cast<double>(counts_.all_right()), static_cast<double>(samples)), {}};
}

namespace {

std::string_view name_of(ClassScore score) {
  constexpr std::string_view kNames[] = {"precision", "recall", "f1"};
  return kNames[static_cast<std::size_t>(score)];
}

std::string metric_name(ClassScore score, Average average) {
  constexpr std::string_view kSuffixes[] = {"_micro", "", "_weighted"};
  return cat(name_of(score), kSuffixes[static_cast<std::size_t>(average)]);
}

struct Fraction {
  double numerator = 0;
  double denominator = 0;
};

Fraction fraction_of(ClassScore score, double right, double predicted, double actual) {
  switch (score) {
    case ClassScore::precision:
      return {right, predicted};
    case ClassScore::recall:
      return {right, actual};
    case ClassScore::f1:
      break;
  }
  return {2 * right, predicted + actual};
}

}  // namespace

ClassScoreMetric::ClassScoreMetric(ClassScore score, Average average, std::int64_t ignore_index)
    : Metric(metric_name(score, average)),
      score_(score),
      average_(average),
      ignore_index_(ignore_index) {}

void ClassScoreMetric::update(const Tensor& output, const Tensor& target) {
  counts_.add(output, target, ignore_index_);
}

Value ClassScoreMetric::compute() const {
  const auto samples = static_cast<double>(counts_.samples());
  if (samples == 0) return {0, cat(name(), " is 0 because there were no samples")};
  if (average_ == Average::micro) {
    const Fraction all =
        fraction_of(score_, static_cast<double>(counts_.all_right()), samples, samples);
    return {ratio(all.numerator, all.denominator), {}};
  }
  double sum = 0;
  std::vector<std::string> empty;
  for (std::size_t c = 0; c < counts_.classes(); ++c) {
    const auto actual = static_cast<double>(counts_.actual(c));
    const Fraction one = fraction_of(score_, static_cast<double>(counts_.right(c)),
                                     static_cast<double>(counts_.predicted(c)), actual);
    const double weight = average_ == Average::weighted
                              ? actual / samples
                              : 1 / static_cast<double>(counts_.classes());
    sum += weight * ratio(one.numerator, one.denominator);
    if (one.denominator == 0 && weight > 0) empty.push_back(cat(c));
  }
  if (empty.empty()) return {sum, {}};
  return {sum, cat(name(), ": the denominator is zero for ",
                   empty.size() == 1 ? "class " : "classes ", join(empty), ", counted as 0")};
}

}  // namespace weft::metric
