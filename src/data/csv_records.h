// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data {

struct Cell {
  std::string_view text;   ///< without quotes, doubled quotes undone; valid until the next record
  std::size_t offset = 0;  ///< of its first byte in the file
};

/// Cuts CSV text into records and cells. Does not know what the cells mean.
class RecordReader {
 public:
  RecordReader(std::string_view text, char delimiter, std::size_t offset, std::int64_t line);

  /// Moves to the next record; false at the end of the text.
  bool next();

  const std::vector<Cell>& cells() const { return cells_; }
  /// The record is an empty line.
  bool blank() const { return cells_.size() == 1 && begin_ == end_of_record_; }
  /// Line of the record's first byte, from 1.
  std::int64_t line() const { return line_; }
  std::size_t offset() const { return at_; }  ///< where the next record begins
  std::int64_t next_line() const { return line_ + lines_; }

  /// What breaks the format in this record, and where; empty when nothing does.
  std::string_view fault() const { return fault_; }
  std::size_t fault_offset() const { return fault_offset_; }
  /// The text ended within quotes: nothing after `fault_offset` can be trusted.
  bool unterminated() const { return unterminated_; }

  /// `line:column` of an offset in this record, both from 1; columns count characters.
  std::string position(std::size_t offset) const;

 private:
  void read_plain_cells();
  void read_cell();
  std::size_t read_quoted(std::size_t open, std::string_view& text);
  bool at_line_end(std::size_t at) const;
  void blame(std::string_view fault, std::size_t offset);

  std::string_view text_;
  char delimiter_;
  std::array<bool, 256> special_{};
  std::size_t at_;
  std::size_t begin_ = 0;
  std::size_t end_of_record_ = 0;
  std::int64_t line_;
  std::int64_t lines_ = 0;
  bool more_ = false;
  std::vector<Cell> cells_;
  std::deque<std::string> unescaped_;
  std::string_view fault_;
  std::size_t fault_offset_ = 0;
  bool unterminated_ = false;
};

}  // namespace weft::data
