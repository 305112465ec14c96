// SPDX-License-Identifier: Apache-2.0
#include "weft/metric/regression.h"

#include <cmath>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::metric {
namespace {

void require_same_shape(std::string_view metric, const Tensor& output, const Tensor& target) {
  if (output.shape() == target.shape()) return;
  throw Error(ErrorKind::shape, cat(metric, ": output is ", describe(output), " but target is ",
                                    describe(target), "; both must have one shape"));
}

}  // namespace

void MAE::update(const Tensor& output, const Tensor& target) {
  require_same_shape("mae", output, target);
  const std::vector<double> guesses = output.to_vector();
  const std::vector<double> truths = target.to_vector();
  for (std::size_t i = 0; i < guesses.size(); ++i) mean_.add(std::abs(guesses[i] - truths[i]), 1);
}

void R2::update(const Tensor& output, const Tensor& target) {
  require_same_shape("r2", output, target);
  const std::size_t width = target.rank() < 2 ? 1 : static_cast<std::size_t>(target.shape().back());
  if (columns_.empty()) columns_.resize(width);
  if (columns_.size() != width) {
    throw Error(ErrorKind::shape, cat("r2: target is ", describe(target),
                                      " but earlier batches had ", columns_.size(), " columns"));
  }
  const std::vector<double> guesses = output.to_vector();
  const std::vector<double> truths = target.to_vector();
  for (std::size_t i = 0; i < truths.size(); ++i) {
    Column& column = columns_[i % width];
    column.count += 1;
    const double before = truths[i] - column.mean;
    column.mean += before / column.count;
    column.spread += before * (truths[i] - column.mean);
    column.residual += (truths[i] - guesses[i]) * (truths[i] - guesses[i]);
  }
}

Value R2::compute() const {
  if (columns_.empty()) return {0, "r2 is 0 because there were no samples"};
  double sum = 0;
  std::string note;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    if (columns_[c].spread > 0) {
      sum += 1 - columns_[c].residual / columns_[c].spread;
    } else {
      note = cat("r2: all targets of column ", c, " are equal, counted as 0");
    }
  }
  return {sum / static_cast<double>(columns_.size()), note};
}

}  // namespace weft::metric
