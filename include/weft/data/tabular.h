// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/export.h"
#include "weft/base/shape.h"
#include "weft/data/csv.h"
#include "weft/data/dataset.h"
#include "weft/data/split.h"

namespace weft::data {

enum class TargetKind : std::uint8_t { category, numeric };
/// `standard`: (x - mean) / deviation; `minmax`: to [0, 1]; `range`: `from` to `to`.
enum class Scale : std::uint8_t { none, standard, minmax, range };
enum class Impute : std::uint8_t { error, mean, median, zero };

struct TabularOptions {
  CsvOptions csv = {};
  /// Names, globs (`p*`) or 0-based numbers; empty: all columns but targets and ignored ones.
  std::vector<std::string> features = {};
  std::vector<std::string> targets = {};  ///< names or 0-based numbers; several only when numeric
  TargetKind target_kind = TargetKind::category;
  Dims shape = {};  ///< of one sample; empty: [number of features]
  Scale scale = Scale::standard;
  std::array<double, 2> from = {0, 1};  ///< Scale::range
  std::array<double, 2> to = {0, 1};
  Impute impute = Impute::error;
  SplitOptions split = {};
  /// Files of their own; each takes the place of its share in `split`, which goes to train.
  std::optional<std::filesystem::path> val_path = {};
  std::optional<std::filesystem::path> test_path = {};
};

/// A column that the model reads. A number becomes `fill` when missing, then x * scale + offset; a
/// category becomes one value per class, 1 at its own (all 0 when missing and filling is allowed).
struct Feature {
  std::string name;
  ColumnKind kind = ColumnKind::numeric;
  std::vector<std::string> classes = {};
  double scale = 1;
  double offset = 0;
  std::optional<double> fill = {};
};

struct Target {
  std::string name;
  ColumnKind kind = ColumnKind::category;
  std::vector<std::string> classes = {};
};

/// How the columns of a table become inputs and targets of a model: fitted on the training rows,
/// kept in the model file, applied to every later file.
class WEFT_API Preprocessing {
 public:
  /// Chooses features and targets and fits scale and fill on `rows`. Throws Error(data) when a
  /// name matches no column, a training value is missing and not filled, or the shape does not hold
  /// the features.
  static Preprocessing fit(const Table& table, const TabularOptions& options,
                           std::span<const std::int64_t> rows);

  /// Inputs f32 [rows, shape...] and, if wanted, targets: i64 [rows] class numbers, or f32
  /// [rows, number of targets]. Columns match by name. Throws Error(data), naming position and
  /// column, for an absent column, a missing value without fill, and a class that training never
  /// saw.
  TensorDataset apply(const Table& table, bool with_targets = true) const;

  /// `base` with the kinds of the columns that `apply` reads; all others are ignored.
  CsvOptions csv_options(CsvOptions base, bool with_targets = true) const;
  /// Columns of `table` that are neither feature nor target: to warn about.
  std::vector<std::string> extra_columns(const Table& table) const;

  const std::vector<Feature>& features() const noexcept { return features_; }
  const std::vector<Target>& targets() const noexcept { return targets_; }
  /// Of one sample.
  const Shape& shape() const noexcept { return shape_; }
  /// Of the first target; empty for regression.
  const std::vector<std::string>& classes() const;

  std::string to_json() const;
  /// Throws Error(model_file) when `text` is not what `to_json` writes.
  static Preprocessing from_json(std::string_view text);

 private:
  std::vector<Feature> features_;
  std::vector<Target> targets_;
  Shape shape_;
};

/// The kinds that reading the training file needs: targets as categories or numbers.
WEFT_API CsvOptions csv_options(const TabularOptions& options);

struct TabularData {
  Preprocessing preprocessing;
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> val;      ///< nullptr when its share is empty
  std::shared_ptr<const Dataset> test;     ///< nullptr when its share is empty
  std::vector<std::int64_t> class_counts;  ///< of the training part; empty for regression
  std::int64_t dropped_rows = 0;
  std::int64_t bad_cells = 0;
};

/// Reads, splits (stratified by class), fits on the training part and applies to all parts:
/// `load_tabular("iris.csv", {.targets = {"species"}}, 1)`.
/// Throws Error(data), Error(io), Error(value).
WEFT_API TabularData load_tabular(const std::filesystem::path& path, const TabularOptions& options,
                                  std::uint64_t seed);

}  // namespace weft::data
