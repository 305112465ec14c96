// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "data/problems.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/data/tabular.h"

namespace weft::data {

namespace {

// Rows are written in blocks that stay in cache while column after column is filled in.
constexpr std::int64_t kBlockRows = 256;

constexpr std::int32_t kUnseen = -2;

const Column& required_column(const Table& table, const std::string& name, ColumnKind kind,
                              std::string_view role) {
  const Column* column = table.find(name);
  if (column == nullptr) {
    throw Error(ErrorKind::data, cat("the ", role, " column `", weft::quoted(name), "` is missing"),
                hint_of_names(name, table.names()), table.path);
  }
  if (column->kind != kind) {
    throw Error(ErrorKind::data,
                cat("column `", weft::quoted(name), "` was read as ", name_of(column->kind),
                    "; the model needs ", name_of(kind)),
                {}, table.path);
  }
  return *column;
}

/// Class numbers of the model by class number of the table; `kUnseen` where the model has none.
std::vector<std::int32_t> codes_of(const Column& column, const std::vector<std::string>& classes) {
  std::vector<std::int32_t> codes;
  for (const std::string& name : column.classes) {
    const auto found = std::ranges::find(classes, name);
    codes.push_back(found == classes.end() ? kUnseen
                                           : static_cast<std::int32_t>(found - classes.begin()));
  }
  return codes;
}

std::int32_t code_at(const Column& column, const std::vector<std::int32_t>& codes,
                     std::int64_t row) {
  const std::int32_t code = column.codes[static_cast<std::size_t>(row)];
  return code < 0 ? -1 : codes[static_cast<std::size_t>(code)];
}

class Complaints {
 public:
  explicit Complaints(const Table& table) : table_(table) {}

  void missing(std::string_view role, const Column& column, std::int64_t row) {
    problems_.add(table_.where(row), cat(role, " `", weft::quoted(column.name), "` has no value"));
    if (role == "feature") hint_ = "set data.impute to mean, median or zero, or complete the file";
  }
  void unseen(const Column& column, std::int64_t row, const std::vector<std::string>& classes) {
    const auto code = static_cast<std::size_t>(column.codes[static_cast<std::size_t>(row)]);
    problems_.add(table_.where(row), cat("column `", weft::quoted(column.name), "` expects one of ",
                                         weft::quoted(join(classes), 200), ", got \"",
                                         weft::quoted(column.classes[code]), '"'));
  }
  void raise() const { problems_.raise(hint_); }

 private:
  const Table& table_;
  Problems problems_;
  std::string hint_;
};

/// One feature and where its values go in a row.
struct Writer {
  const Feature& feature;
  const Column& column;
  std::int64_t offset;
  std::vector<std::int32_t> codes;

  void write_number(std::int64_t row, float* target, Complaints& complaints) const {
    const float given = column.numbers[static_cast<std::size_t>(row)];
    if (std::isnan(given) && !feature.fill) return complaints.missing("feature", column, row);
    const double value = std::isnan(given) ? *feature.fill : double{given};
    target[offset] = static_cast<float>(value * feature.scale + feature.offset);
  }

  void write_category(std::int64_t row, float* target, Complaints& complaints) const {
    const std::int32_t code = code_at(column, codes, row);
    if (code == kUnseen) return complaints.unseen(column, row, feature.classes);
    if (code < 0 && !feature.fill) return complaints.missing("feature", column, row);
    std::fill_n(target + offset, std::ssize(feature.classes), 0.0f);
    if (code >= 0) target[offset + code] = 1;
  }
};

Tensor features_of(const Table& table, const std::vector<Feature>& features, const Shape& shape,
                   Complaints& complaints) {
  std::vector<Writer> writers;
  std::int64_t width = 0;
  for (const Feature& feature : features) {
    const Column& column = required_column(table, feature.name, feature.kind, "feature");
    writers.push_back({feature, column, width, codes_of(column, feature.classes)});
    width += feature.kind == ColumnKind::category ? std::ssize(feature.classes) : 1;
  }
  Tensor x = empty(shape.inserted(0, table.rows), {.dtype = DType::f32, .device = Device{}});
  float* const values = x.mutable_data<float>().data();
  for (std::int64_t block = 0; block < table.rows; block += kBlockRows) {
    const std::int64_t end = std::min(block + kBlockRows, table.rows);
    for (const Writer& writer : writers) {
      const bool category = writer.feature.kind == ColumnKind::category;
      for (std::int64_t row = block; row < end; ++row) {
        if (category)
          writer.write_category(row, values + row * width, complaints);
        else
          writer.write_number(row, values + row * width, complaints);
      }
    }
  }
  return x;
}

Tensor class_targets(const Table& table, const Target& target, Complaints& complaints) {
  const Column& column = required_column(table, target.name, target.kind, "target");
  const std::vector<std::int32_t> codes = codes_of(column, target.classes);
  Tensor y = empty({table.rows}, {.dtype = DType::i64, .device = Device{}});
  std::span<std::int64_t> values = y.mutable_data<std::int64_t>();
  for (std::int64_t row = 0; row < table.rows; ++row) {
    const std::int32_t code = code_at(column, codes, row);
    if (code == kUnseen)
      complaints.unseen(column, row, target.classes);
    else if (code < 0)
      complaints.missing("target", column, row);
    values[static_cast<std::size_t>(row)] = code;
  }
  return y;
}

Tensor number_targets(const Table& table, const std::vector<Target>& targets,
                      Complaints& complaints) {
  const std::int64_t width = std::ssize(targets);
  Tensor y = empty({table.rows, width}, {.dtype = DType::f32, .device = Device{}});
  std::span<float> values = y.mutable_data<float>();
  for (std::int64_t t = 0; t < width; ++t) {
    const Target& target = targets[static_cast<std::size_t>(t)];
    const Column& column = required_column(table, target.name, target.kind, "target");
    for (std::int64_t row = 0; row < table.rows; ++row) {
      const float value = column.numbers[static_cast<std::size_t>(row)];
      if (std::isnan(value)) complaints.missing("target", column, row);
      values[static_cast<std::size_t>(row * width + t)] = value;
    }
  }
  return y;
}

}  // namespace

TensorDataset Preprocessing::apply(const Table& table, bool with_targets) const {
  Complaints complaints(table);
  Tensor x = features_of(table, features_, shape_, complaints);
  Tensor y;
  if (with_targets && !targets_.empty()) {
    const bool classes = targets_.front().kind == ColumnKind::category;
    y = classes ? class_targets(table, targets_.front(), complaints)
                : number_targets(table, targets_, complaints);
  }
  complaints.raise();
  return TensorDataset(std::move(x), std::move(y));
}

CsvOptions Preprocessing::csv_options(CsvOptions base, bool with_targets) const {
  base.columns.clear();
  base.other_columns = ColumnKind::ignore;
  for (const Feature& feature : features_) base.columns.emplace(feature.name, feature.kind);
  if (!with_targets) return base;
  for (const Target& target : targets_) base.columns.emplace(target.name, target.kind);
  return base;
}

std::vector<std::string> Preprocessing::extra_columns(const Table& table) const {
  std::vector<std::string> extra;
  for (const Column& column : table.columns) {
    const bool known =
        std::ranges::find(features_, column.name, &Feature::name) != features_.end() ||
        std::ranges::find(targets_, column.name, &Target::name) != targets_.end();
    if (!known) extra.push_back(column.name);
  }
  return extra;
}

const std::vector<std::string>& Preprocessing::classes() const {
  static const std::vector<std::string> none;
  return targets_.empty() ? none : targets_.front().classes;
}

}  // namespace weft::data
