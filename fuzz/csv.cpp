// SPDX-License-Identifier: Apache-2.0
// The first byte chooses options; the rest is a CSV file. Any text gives a consistent table or an
// Error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "weft/base/error.h"
#include "weft/data/csv.h"

namespace {

using namespace weft::data;

void require(bool condition) {
  if (!condition) std::abort();
}

void check(const Table& table) {
  const auto rows = static_cast<std::size_t>(table.rows);
  for (const Column& column : table.columns) {
    if (column.kind == ColumnKind::numeric || column.kind == ColumnKind::boolean) {
      require(column.numbers.size() == rows);
    } else if (column.kind == ColumnKind::category) {
      require(column.codes.size() == rows);
      const auto classes = static_cast<std::int32_t>(column.classes.size());
      require(std::ranges::all_of(column.codes,
                                  [&](auto code) { return code >= -1 && code < classes; }));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  CsvOptions options;
  options.header = (data[0] & 1) != 0;
  options.delimiter = (data[0] & 2) != 0 ? ';' : ',';
  options.on_error = static_cast<OnError>((data[0] >> 2) % 3);
  if ((data[0] & 64) != 0) options.other_columns = ColumnKind::category;
  try {
    check(parse_csv({reinterpret_cast<const char*>(data) + 1, size - 1}, "fuzz.csv", options));
  } catch (const weft::Error&) {
  }
  return 0;
}
