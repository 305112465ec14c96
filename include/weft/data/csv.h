// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/base/export.h"

namespace weft::data {

enum class ColumnKind : std::uint8_t { numeric, category, boolean, ignore };
WEFT_API std::string_view name_of(ColumnKind kind);

/// What a cell that does not fit its column does. `strict`: all are collected, then Error(data).
/// `lenient`: it counts as missing. `drop_row`: its row is left out, as is a row of another length.
enum class OnError : std::uint8_t { strict, lenient, drop_row };

struct CsvOptions {
  char delimiter = ',';
  bool header = true;  ///< false: columns are called c0, c1, ...
  std::vector<std::string> missing = {"", "NA", "NaN"};
  OnError on_error = OnError::strict;
  /// Forced kinds by column name or 0-based number. One that the file lacks is Error(data).
  std::map<std::string, ColumnKind> columns = {};
  /// The kind of all other columns; nullopt: inferred from the first 1000 rows. `true` and `false`
  /// make a boolean; a column whose cells are numbers for the greater part is numeric (and the rest
  /// are errors); anything else is a category.
  std::optional<ColumnKind> other_columns = {};
  bool keep_text = false;  ///< also keeps every cell as it stands: `Table::text`
};

struct Column {
  std::string name;
  ColumnKind kind = ColumnKind::numeric;
  std::vector<float> numbers;        ///< numeric, and boolean as 0 and 1; NaN = missing
  std::vector<std::int32_t> codes;   ///< category: index into `classes`; -1 = missing
  std::vector<std::string> classes;  ///< sorted; by value when all of them are numbers
  std::int64_t missing = 0;
};

/// A table by columns. Ignored columns keep their place and have no values.
struct WEFT_API Table {
  std::string path;
  std::vector<Column> columns;
  std::int64_t rows = 0;
  std::int64_t dropped_rows = 0;  ///< by `drop_row`
  std::int64_t bad_cells = 0;     ///< taken as missing by `lenient`
  /// (row, line) wherever lines do not follow each other one by one.
  std::vector<std::pair<std::int64_t, std::int64_t>> line_steps;
  /// [row][column], ignored columns too; empty unless asked for.
  std::vector<std::vector<std::string>> text;

  /// nullptr when there is none.
  const Column* find(std::string_view name) const;
  /// The column of that name, else of that 0-based number.
  const Column* find_or_number(std::string_view text) const;
  std::vector<std::string> names() const;
  /// `file:line` of a row.
  std::string where(std::int64_t row) const;
};

/// Reads a CSV file: RFC 4180 with any one-byte delimiter, LF or CRLF, an optional UTF-8 byte-order
/// mark, quoted cells that may hold delimiters, quotes and line breaks. Blank lines are skipped.
/// Spaces around a number are allowed, as is one plus sign; `inf` and `nan` are no numbers.
/// Errors are collected, each with file:line:column, the column's name, the cell and what was
/// expected: cells that do not fit, rows of another length, stray quotes. Duplicate column names,
/// invalid UTF-8, NUL bytes, an unterminated quote and a file without rows are errors whatever
/// `on_error` says. Throws Error(data), Error(io), Error(value) for a delimiter that cannot be one.
WEFT_API Table read_csv(const std::filesystem::path& path, const CsvOptions& options = {});
/// The same for text in memory; `name` stands for the path.
WEFT_API Table parse_csv(std::string_view text, std::string name, const CsvOptions& options = {});

/// `cell` as it stands in a CSV file: in quotes when it holds a delimiter, a quote or a line break.
WEFT_API std::string csv_cell(std::string_view cell, char delimiter = ',');

}  // namespace weft::data
