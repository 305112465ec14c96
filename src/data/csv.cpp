// SPDX-License-Identifier: Apache-2.0
#include "weft/data/csv.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <set>
#include <unordered_map>

#include "data/csv_numbers.h"
#include "data/csv_records.h"
#include "data/problems.h"
#include "io/utf8.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/io/file.h"

namespace weft::data {

namespace {

constexpr std::int64_t kSampleRows = 1000;
constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();
constexpr std::array<std::string_view, 4> kKindNames = {"numeric", "category", "boolean", "ignore"};
constexpr std::array<std::string_view, 4> kExpected = {"a number", "a category", "true or false",
                                                       "anything"};

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
using Codes = std::unordered_map<std::string, std::int32_t, TextHash, std::equal_to<>>;

bool same_word(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, {}, [](unsigned char c) { return std::tolower(c); });
}

bool parse_boolean(std::string_view text, float& value) {
  if (same_word(text, "true"))
    value = 1;
  else if (same_word(text, "false"))
    value = 0;
  else
    return false;
  return true;
}

// A column that is forced to be boolean may also say yes, no, 1 and 0.
bool parse_any_boolean(std::string_view text, float& value) {
  if (parse_boolean(text, value)) return true;
  if (text == "1" || same_word(text, "yes"))
    value = 1;
  else if (text == "0" || same_word(text, "no"))
    value = 0;
  else
    return false;
  return true;
}

class CsvParser {
 public:
  CsvParser(std::string_view text, std::string name, const CsvOptions& options)
      : text_(text), options_(options), records_(text, options.delimiter, start_of(text), 1) {
    table_.path = std::move(name);
  }

  Table parse() {
    require_delimiter();
    require_clean_text();
    read_header();
    choose_kinds();
    reserve();
    while (records_.next()) read_row();
    problems_.raise();
    if (table_.rows == 0) fail("has no rows");
    for (Column& column : table_.columns) sort_classes(column);
    return std::move(table_);
  }

 private:
  static std::size_t start_of(std::string_view text) {
    return text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  }

  [[noreturn]] void fail(std::string message, std::string hint = {}) const {
    throw Error(ErrorKind::data, std::move(message), std::move(hint), table_.path);
  }

  void require_delimiter() const {
    const char d = options_.delimiter;
    if (d != '"' && d != '\r' && d != '\n' && d != '\0' && static_cast<unsigned char>(d) < 0x80) {
      return;
    }
    throw Error(ErrorKind::value,
                "csv: the delimiter must be one ASCII character, neither a quote nor a line break");
  }

  void require_clean_text() const {
    if (text_.size() == start_of(text_)) fail("is empty");
    const std::size_t bad = io::first_invalid_utf8(text_);
    if (bad == text_.size()) return;
    std::string hint = "convert the file to UTF-8";
    if (text_.starts_with("\xFF\xFE") || text_.starts_with("\xFE\xFF"))
      hint += " (it looks like UTF-16)";
    const std::string_view before = text_.substr(0, bad);
    const auto line = 1 + std::ranges::count(before, '\n');
    const std::size_t column = bad - (before.rfind('\n') + 1) + 1;
    throw Error(ErrorKind::data, text_[bad] == '\0' ? "a NUL byte" : "bytes that are not UTF-8",
                std::move(hint), cat(table_.path, ':', line, ':', column));
  }

  void read_header() {
    while (records_.next() && records_.blank()) {
    }
    if (records_.cells().empty() || records_.blank()) fail("is empty");
    if (!records_.fault().empty()) raise_fault();
    std::set<std::string_view> seen;
    for (std::size_t c = 0; c < records_.cells().size(); ++c) {
      const Cell& cell = records_.cells()[c];
      Column column{.name = cat('c', c), .numbers = {}, .codes = {}, .classes = {}};
      if (options_.header && !cell.text.empty()) column.name = cell.text;
      table_.columns.push_back(std::move(column));
    }
    for (std::size_t c = 0; c < table_.columns.size(); ++c) {
      if (seen.insert(table_.columns[c].name).second) continue;
      problems_.add(where(records_.cells()[c].offset),
                    cat("two columns are called `", weft::quoted(table_.columns[c].name), '`'));
    }
    problems_.raise("give each column its own name, or set header: false");
    if (!options_.header) records_ = RecordReader(text_, options_.delimiter, start_of(text_), 1);
  }

  void choose_kinds() {
    std::vector<std::optional<ColumnKind>> forced(table_.columns.size(), options_.other_columns);
    for (const auto& [name, kind] : options_.columns) {
      const Column* column = table_.find_or_number(name);
      if (column == nullptr) {
        fail(cat("no column `", weft::quoted(name), '`'), hint_of_names(name, table_.names()));
      }
      forced[static_cast<std::size_t>(column - table_.columns.data())] = kind;
    }
    std::vector<ColumnKind> inferred(table_.columns.size());
    if (!options_.other_columns) inferred = inferred_kinds();
    for (std::size_t c = 0; c < table_.columns.size(); ++c) {
      table_.columns[c].kind = forced[c].value_or(inferred[c]);
      forced_.push_back(forced[c].has_value());
    }
    codes_.resize(table_.columns.size());
    float ignored = 0;
    numeric_marker_ = std::ranges::any_of(
        options_.missing, [&](const std::string& marker) { return parse_number(marker, ignored); });
  }

  std::vector<ColumnKind> inferred_kinds() const {
    struct Counts {
      std::int64_t cells = 0, numbers = 0, booleans = 0;
    };
    std::vector<Counts> counts(table_.columns.size());
    RecordReader sample(text_, options_.delimiter, records_.offset(), records_.next_line());
    for (std::int64_t row = 0; row < kSampleRows && sample.next(); ++row) {
      if (sample.cells().size() != counts.size()) continue;
      for (std::size_t c = 0; c < counts.size(); ++c) {
        const std::string_view text = sample.cells()[c].text;
        if (is_missing(text)) continue;
        float value = 0;
        ++counts[c].cells;
        counts[c].numbers += parse_number(text, value);
        counts[c].booleans += parse_boolean(text, value);
      }
    }
    std::vector<ColumnKind> kinds;
    for (const Counts& count : counts) {
      if (count.cells > 0 && count.booleans == count.cells)
        kinds.push_back(ColumnKind::boolean);
      else if (2 * count.numbers >= count.cells)
        kinds.push_back(ColumnKind::numeric);
      else
        kinds.push_back(ColumnKind::category);
    }
    return kinds;
  }

  // Every row has a line break and a byte per cell: an upper bound that never exceeds the file's
  // size, so that columns are allocated once and pages beyond the real size are never touched.
  void reserve() {
    const std::string_view rest = text_.substr(records_.offset());
    const auto lines = static_cast<std::size_t>(std::ranges::count(rest, '\n')) + 1;
    const std::size_t rows = std::min(lines, rest.size() / table_.columns.size() + 1);
    for (Column& column : table_.columns) {
      if (column.kind == ColumnKind::category)
        column.codes.reserve(rows);
      else if (column.kind != ColumnKind::ignore)
        column.numbers.reserve(rows);
    }
  }

  void read_row() {
    if (records_.blank()) return;
    if (!records_.fault().empty())
      return bad_row(records_.fault_offset(), std::string(records_.fault()));
    const std::vector<Cell>& cells = records_.cells();
    if (cells.size() != table_.columns.size()) return wrong_length();
    bool keep = true;
    for (std::size_t c = 0; c < cells.size(); ++c) keep &= store(c, cells[c]);
    if (!keep && options_.on_error == OnError::drop_row) return drop_stored_row();
    if (records_.line() != expected_line_)
      table_.line_steps.emplace_back(table_.rows, records_.line());
    expected_line_ = records_.line() + 1;
    ++table_.rows;
    if (options_.keep_text) keep_text();
  }

  void keep_text() {
    std::vector<std::string>& row = table_.text.emplace_back();
    for (const Cell& cell : records_.cells()) row.emplace_back(cell.text);
  }

  // False when the cell does not fit its column; it is then stored as missing.
  bool store(std::size_t c, const Cell& cell) {
    Column& column = table_.columns[c];
    switch (column.kind) {
      case ColumnKind::numeric: {
        float value = 0;
        if (!numeric_marker_ && parse_number(cell.text, value)) [[likely]] {
          column.numbers.push_back(value);
          return true;
        }
        return store_number(c, cell);
      }
      case ColumnKind::boolean:
        return store_boolean(c, cell);
      case ColumnKind::category:
        store_category(column, codes_[c], cell.text);
        return true;
      case ColumnKind::ignore:
        return true;
    }
    return true;
  }

  bool store_number(std::size_t c, const Cell& cell) {
    float value = kMissing;
    const bool missing = is_missing(cell.text);
    const bool good = missing || parse_number(cell.text, value);
    return store_parsed(c, cell, good, missing, value);
  }

  bool store_boolean(std::size_t c, const Cell& cell) {
    float value = kMissing;
    const bool missing = is_missing(cell.text);
    const bool good = missing || (forced_[c] ? parse_any_boolean(cell.text, value)
                                             : parse_boolean(cell.text, value));
    return store_parsed(c, cell, good, missing, value);
  }

  bool store_parsed(std::size_t c, const Cell& cell, bool good, bool missing, float value) {
    Column& column = table_.columns[c];
    column.missing += missing || !good;
    column.numbers.push_back(good ? value : kMissing);
    if (!good) bad_cell(column, cell);
    return good;
  }

  void store_category(Column& column, Codes& codes, std::string_view text) const {
    if (is_missing(text)) {
      ++column.missing;
      column.codes.push_back(-1);
      return;
    }
    auto found = codes.find(text);
    if (found == codes.end()) {
      found = codes.emplace(text, static_cast<std::int32_t>(codes.size())).first;
      column.classes.emplace_back(text);
    }
    column.codes.push_back(found->second);
  }

  bool is_missing(std::string_view text) const {
    while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
    return std::ranges::find(options_.missing, text) != options_.missing.end();
  }

  void bad_cell(const Column& column, const Cell& cell) {
    if (options_.on_error == OnError::lenient) {
      ++table_.bad_cells;
    } else if (options_.on_error == OnError::strict) {
      problems_.add(where(cell.offset), cat("column `", weft::quoted(column.name), "` expects ",
                                            kExpected[static_cast<std::size_t>(column.kind)],
                                            ", got \"", weft::quoted(cell.text), '"'));
    }
  }

  void wrong_length() {
    bad_row(std::nullopt,
            cat("the row has ", records_.cells().size(), " cells but ",
                options_.header ? "the header" : "the first row", " has ", table_.columns.size()));
  }

  void bad_row(std::optional<std::size_t> offset, std::string message) {
    if (records_.unterminated()) raise_fault();
    if (options_.on_error == OnError::drop_row) {
      ++table_.dropped_rows;
    } else {
      problems_.add(offset ? where(*offset) : cat(table_.path, ':', records_.line()),
                    std::move(message));
    }
  }

  void drop_stored_row() {
    for (Column& column : table_.columns) {
      if (column.kind == ColumnKind::category) {
        column.missing -= column.codes.back() < 0;
        column.codes.pop_back();
      } else if (column.kind != ColumnKind::ignore) {
        column.missing -= std::isnan(column.numbers.back());
        column.numbers.pop_back();
      }
    }
    ++table_.dropped_rows;
  }

  [[noreturn]] void raise_fault() {
    problems_.add(where(records_.fault_offset()), std::string(records_.fault()));
    problems_.raise();
    throw Error(ErrorKind::internal, "csv: a fault was not reported");
  }

  std::string where(std::size_t offset) const {
    return cat(table_.path, ':', records_.position(offset));
  }

  // Classes of dropped rows alone are left out.
  static void sort_classes(Column& column) {
    const std::vector<std::string>& names = column.classes;
    const auto at = [](std::int32_t code) { return static_cast<std::size_t>(code); };
    std::vector<float> values(names.size());
    bool all_numbers = true;
    for (std::size_t i = 0; i < names.size(); ++i) all_numbers &= parse_number(names[i], values[i]);
    std::vector<bool> used(names.size());
    for (const std::int32_t code : column.codes) {
      if (code >= 0) used[at(code)] = true;
    }
    std::vector<std::int32_t> order(names.size());
    std::iota(order.begin(), order.end(), 0);
    std::erase_if(order, [&](std::int32_t code) { return !used[at(code)]; });
    std::ranges::sort(order, [&](std::int32_t a, std::int32_t b) {
      if (all_numbers && values[at(a)] != values[at(b)]) return values[at(a)] < values[at(b)];
      return names[at(a)] < names[at(b)];
    });
    std::vector<std::string> sorted;
    std::vector<std::int32_t> rank(names.size());
    for (const std::int32_t code : order) {
      rank[at(code)] = static_cast<std::int32_t>(sorted.size());
      sorted.push_back(names[at(code)]);
    }
    for (std::int32_t& code : column.codes) {
      if (code >= 0) code = rank[at(code)];
    }
    column.classes = std::move(sorted);
  }

  std::string_view text_;
  const CsvOptions& options_;
  RecordReader records_;
  Table table_;
  Problems problems_;
  std::vector<Codes> codes_;
  std::vector<bool> forced_;
  std::int64_t expected_line_ = 0;
  bool numeric_marker_ = false;
};

}  // namespace

std::string_view name_of(ColumnKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

const Column* Table::find(std::string_view name) const {
  const auto found = std::ranges::find(columns, name, &Column::name);
  return found == columns.end() ? nullptr : &*found;
}

const Column* Table::find_or_number(std::string_view text) const {
  if (const Column* named = find(text)) return named;
  std::size_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = fault == std::errc{} && end == text.data() + text.size();
  return whole && number < columns.size() ? &columns[number] : nullptr;
}

std::vector<std::string> Table::names() const {
  std::vector<std::string> names;
  for (const Column& column : columns) names.push_back(column.name);
  return names;
}

std::string Table::where(std::int64_t row) const {
  const auto after =
      std::ranges::upper_bound(line_steps, row, {}, &std::pair<std::int64_t, std::int64_t>::first);
  if (after == line_steps.begin()) return path;
  const auto [first_row, first_line] = *std::prev(after);
  return cat(path, ':', first_line + (row - first_row));
}

Table parse_csv(std::string_view text, std::string name, const CsvOptions& options) {
  return CsvParser(text, std::move(name), options).parse();
}

Table read_csv(const std::filesystem::path& path, const CsvOptions& options) {
  const io::MappedFile file(path);
  return parse_csv(file.text(), path.string(), options);
}

std::string csv_cell(std::string_view cell, char delimiter) {
  const bool plain = std::ranges::none_of(
      cell, [&](char c) { return c == delimiter || c == '"' || c == '\n' || c == '\r'; });
  if (plain) return std::string(cell);
  std::string quoted = "\"";
  for (const char c : cell) quoted += c == '"' ? std::string_view("\"\"") : std::string_view(&c, 1);
  return quoted + '"';
}

}  // namespace weft::data
