// SPDX-License-Identifier: Apache-2.0
#include "weft/data/tabular.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace weft::data {

namespace {

std::span<const std::int32_t> classes_of(const Table& table, const TabularOptions& options) {
  if (options.target_kind != TargetKind::category || options.targets.empty()) return {};
  const Column* column = table.find_or_number(options.targets.front());
  return column == nullptr ? std::span<const std::int32_t>{} : std::span(column->codes);
}

SplitOptions shares_of_main_file(const TabularOptions& options) {
  SplitOptions shares = options.split;
  if (options.val_path) shares.train += std::exchange(shares.val, 0);
  if (options.test_path) shares.train += std::exchange(shares.test, 0);
  return shares;
}

std::shared_ptr<const Dataset> part_of(const std::shared_ptr<const Dataset>& whole,
                                       std::vector<std::int64_t> rows) {
  if (rows.empty()) return nullptr;
  return std::make_shared<const Subset>(whole, std::move(rows));
}

std::vector<std::int64_t> class_counts(const Preprocessing& preprocessing,
                                       const TensorDataset& data,
                                       std::span<const std::int64_t> rows) {
  std::vector<std::int64_t> counts(preprocessing.classes().size());
  if (counts.empty()) return counts;
  const std::span<const std::int64_t> codes = data.y().data<std::int64_t>();
  for (const std::int64_t row : rows)
    ++counts[static_cast<std::size_t>(codes[static_cast<std::size_t>(row)])];
  return counts;
}

}  // namespace

TabularData load_tabular(const std::filesystem::path& path, const TabularOptions& options,
                         std::uint64_t seed) {
  const Table table = read_csv(path, csv_options(options));
  Split split =
      split_rows(table.rows, shares_of_main_file(options), seed, classes_of(table, options));
  TabularData data{.preprocessing = Preprocessing::fit(table, options, split.train),
                   .train = {},
                   .val = {},
                   .test = {},
                   .class_counts = {},
                   .dropped_rows = table.dropped_rows,
                   .bad_cells = table.bad_cells};
  const auto whole = std::make_shared<const TensorDataset>(data.preprocessing.apply(table));
  data.class_counts = class_counts(data.preprocessing, *whole, split.train);
  const auto read_part = [&](const std::filesystem::path& file) -> std::shared_ptr<const Dataset> {
    const Table part = read_csv(file, data.preprocessing.csv_options(options.csv));
    data.dropped_rows += part.dropped_rows;
    data.bad_cells += part.bad_cells;
    return std::make_shared<const TensorDataset>(data.preprocessing.apply(part));
  };
  data.train = std::make_shared<const Subset>(whole, std::move(split.train));
  data.val = options.val_path ? read_part(*options.val_path) : part_of(whole, std::move(split.val));
  data.test =
      options.test_path ? read_part(*options.test_path) : part_of(whole, std::move(split.test));
  return data;
}

}  // namespace weft::data
