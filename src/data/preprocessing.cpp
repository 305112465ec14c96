// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "data/problems.h"
#include "weft/base/error.h"
#include "weft/base/glob.h"
#include "weft/base/text.h"
#include "weft/data/tabular.h"

namespace weft::data {

namespace {

[[noreturn]] void fail(const Table& table, std::string message, std::string hint = {}) {
  throw Error(ErrorKind::data, std::move(message), std::move(hint), table.path);
}

[[noreturn]] void fail_absent(const Table& table, std::string_view role, std::string_view name) {
  fail(table, cat("no column for ", role, " `", weft::quoted(name), '`'),
       hint_of_names(name, table.names()));
}

std::vector<const Column*> chosen_targets(const Table& table, const TabularOptions& options) {
  std::vector<const Column*> targets;
  for (const std::string& name : options.targets) {
    const Column* column = table.find_or_number(name);
    if (column == nullptr) fail_absent(table, "target", name);
    targets.push_back(column);
  }
  if (options.target_kind == TargetKind::category && targets.size() > 1) {
    throw Error(ErrorKind::value, cat("targets: ", join(options.targets), " cannot all be classes"),
                "name one, or set target_kind: numeric");
  }
  return targets;
}

/// What `pattern` selects: a name, a glob or a number, in this order.
std::vector<const Column*> matches(const Table& table, const std::string& pattern,
                                   const std::vector<const Column*>& targets) {
  if (const Column* named = table.find(pattern)) return {named};
  std::vector<const Column*> found;
  for (const Column& column : table.columns) {
    const bool usable =
        column.kind != ColumnKind::ignore && std::ranges::find(targets, &column) == targets.end();
    if (usable && glob_match(pattern, column.name)) found.push_back(&column);
  }
  if (!found.empty()) return found;
  if (const Column* numbered = table.find_or_number(pattern)) return {numbered};
  fail_absent(table, "feature", pattern);
}

std::vector<const Column*> chosen_features(const Table& table, const TabularOptions& options,
                                           const std::vector<const Column*>& targets) {
  const std::vector<std::string> everything = {"*"};
  std::vector<const Column*> features;
  for (const std::string& pattern : options.features.empty() ? everything : options.features) {
    for (const Column* column : matches(table, pattern, targets)) {
      if (std::ranges::find(targets, column) != targets.end()) {
        fail(table, cat("column `", weft::quoted(column->name), "` is both feature and target"));
      }
      if (column->kind == ColumnKind::ignore) {
        fail(table, cat("feature `", weft::quoted(column->name), "` is an ignored column"));
      }
      if (std::ranges::find(features, column) == features.end()) features.push_back(column);
    }
  }
  return features;
}

std::vector<float> present_values(const Column& column, std::span<const std::int64_t> rows) {
  std::vector<float> values;
  values.reserve(rows.size());
  for (const std::int64_t row : rows) {
    const float value = column.numbers[static_cast<std::size_t>(row)];
    if (!std::isnan(value)) values.push_back(value);
  }
  return values;
}

double mean_of(std::span<const float> values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median_of(std::vector<float> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (double{*middle} + double{*std::max_element(values.begin(), middle)}) / 2;
}

// Population deviation in two passes: the difference of squares loses all digits at a large mean.
double deviation_of(std::span<const float> values, double mean) {
  double squares = 0;
  for (const float value : values) squares += (value - mean) * (value - mean);
  return values.empty() ? 0 : std::sqrt(squares / static_cast<double>(values.size()));
}

/// Sets x * scale + offset so that `low` becomes `to[0]` and `high` becomes `to[1]`.
void map_range(Feature& feature, double low, double high, std::array<double, 2> to) {
  feature.scale = high > low ? (to[1] - to[0]) / (high - low) : 1;
  feature.offset = to[0] - low * feature.scale;
}

void fit_number(Feature& feature, const std::vector<float>& values, const TabularOptions& options) {
  if (options.impute == Impute::mean) feature.fill = mean_of(values);
  if (options.impute == Impute::median) feature.fill = median_of(values);
  if (options.impute == Impute::zero) feature.fill = 0;
  switch (options.scale) {
    case Scale::none:
      return;
    case Scale::standard: {
      const double mean = mean_of(values);
      const double deviation = deviation_of(values, mean);
      feature.scale = deviation > 0 ? 1 / deviation : 1;
      feature.offset = -mean * feature.scale;
      return;
    }
    case Scale::minmax: {
      if (values.empty()) return;
      const auto [low, high] = std::ranges::minmax(values);
      return map_range(feature, low, high, {0, 1});
    }
    case Scale::range:
      return map_range(feature, options.from[0], options.from[1], options.to);
  }
}

Feature fit_feature(const Column& column, const TabularOptions& options,
                    std::span<const std::int64_t> rows) {
  Feature feature{.name = column.name, .kind = column.kind, .classes = column.classes};
  if (column.kind == ColumnKind::numeric) {
    fit_number(feature, present_values(column, rows), options);
  } else if (options.impute != Impute::error) {
    feature.fill = 0;
  }
  return feature;
}

Target fit_target(const Table& table, const Column& column, TargetKind kind) {
  const bool is_category = column.kind == ColumnKind::category;
  const bool fits =
      column.kind != ColumnKind::ignore && is_category == (kind == TargetKind::category);
  if (!fits) {
    fail(table,
         cat("target `", weft::quoted(column.name), "` is a ", name_of(column.kind),
             " column, needed is ", kind == TargetKind::category ? "category" : "numeric"),
         cat("set csv.columns: {", column.name, ": ",
             kind == TargetKind::category ? "category" : "numeric", "}"));
  }
  return {.name = column.name, .kind = column.kind, .classes = column.classes};
}

void require_range(const TabularOptions& options) {
  if (options.scale == Scale::range && !(options.from[0] < options.from[1])) {
    throw Error(ErrorKind::value, cat("scale: from is [", options.from[0], ", ", options.from[1],
                                      "]; the second number must be the larger"));
  }
}

}  // namespace

Preprocessing Preprocessing::fit(const Table& table, const TabularOptions& options,
                                 std::span<const std::int64_t> rows) {
  require_range(options);
  Preprocessing result;
  const std::vector<const Column*> targets = chosen_targets(table, options);
  std::int64_t width = 0;
  for (const Column* column : chosen_features(table, options, targets)) {
    result.features_.push_back(fit_feature(*column, options, rows));
    width += column->kind == ColumnKind::category ? std::ssize(column->classes) : 1;
  }
  for (const Column* column : targets) {
    result.targets_.push_back(fit_target(table, *column, options.target_kind));
  }
  if (width == 0) fail(table, "no columns are left as features");
  result.shape_ = options.shape.empty() ? Shape{width} : Shape(options.shape);
  if (result.shape_.numel() != width) {
    fail(table, cat("shape ", to_string(options.shape), " holds ", result.shape_.numel(),
                    " values but the features give ", width));
  }
  return result;
}

CsvOptions csv_options(const TabularOptions& options) {
  CsvOptions csv = options.csv;
  const bool classes = options.target_kind == TargetKind::category;
  for (const std::string& name : options.targets) {
    csv.columns.emplace(name, classes ? ColumnKind::category : ColumnKind::numeric);
  }
  return csv;
}

}  // namespace weft::data
