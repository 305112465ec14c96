// SPDX-License-Identifier: Apache-2.0
#include "data/csv_records.h"

#include <algorithm>

#include "weft/base/text.h"

namespace weft::data {

RecordReader::RecordReader(std::string_view text, char delimiter, std::size_t offset,
                           std::int64_t line)
    : text_(text), delimiter_(delimiter), at_(offset), line_(line) {
  for (const char c : {delimiter, '"', '\r', '\n'}) special_[static_cast<unsigned char>(c)] = true;
}

bool RecordReader::next() {
  line_ += lines_;
  lines_ = 0;
  if (at_ >= text_.size()) return false;
  begin_ = at_;
  cells_.clear();
  unescaped_.clear();
  fault_ = {};
  do {
    read_plain_cells();
    read_cell();
  } while (more_);
  return true;
}

// The usual case on its own: cells of nothing special that end at a delimiter.
void RecordReader::read_plain_cells() {
  const char* const data = text_.data();
  const char* const end = data + text_.size();
  const char* cell = data + at_;
  for (const char* at = cell; at != end; ++at) {
    if (!special_[static_cast<unsigned char>(*at)]) continue;
    if (*at != delimiter_) break;
    cells_.push_back({.text = {cell, static_cast<std::size_t>(at - cell)},
                      .offset = static_cast<std::size_t>(cell - data)});
    cell = at + 1;
  }
  at_ = static_cast<std::size_t>(cell - data);
}

// Reads one cell and what ends it: a delimiter (then `more_`), a line end, or the end of the text.
void RecordReader::read_cell() {
  Cell cell{.text = {}, .offset = at_};
  std::size_t at = at_;
  if (at < text_.size() && text_[at] == '"') {
    at = read_quoted(at, cell.text);
    if (at < text_.size() && text_[at] != delimiter_ && !at_line_end(at)) {
      blame("text after a closing quote", at);
    }
  }
  const std::size_t plain = at;
  while (at < text_.size()) {
    if (!special_[static_cast<unsigned char>(text_[at])]) {
      ++at;
      continue;
    }
    if (text_[at] == delimiter_ || at_line_end(at)) break;
    blame(text_[at] == '"' ? "a quote inside a cell that does not begin with one"
                           : "a carriage return without line feed",
          at);
    ++at;
  }
  if (plain == cell.offset) cell.text = text_.substr(plain, at - plain);
  cells_.push_back(cell);
  end_of_record_ = at;
  more_ = at < text_.size() && text_[at] == delimiter_;
  if (more_) {
    at_ = at + 1;
    return;
  }
  ++lines_;
  if (at < text_.size() && text_[at] == '\r') ++at;
  at_ = std::min(at + 1, text_.size());
}

// From the opening quote to the byte after the closing one.
std::size_t RecordReader::read_quoted(std::size_t open, std::string_view& text) {
  std::size_t from = open + 1;
  std::string* joined = nullptr;
  for (;;) {
    const std::size_t quote = text_.find('"', from);
    if (quote == std::string_view::npos) {
      blame("a quote that is never closed", open);
      unterminated_ = true;
      return text_.size();
    }
    const std::string_view piece = text_.substr(from, quote - from);
    lines_ += std::ranges::count(piece, '\n');
    const bool doubled = quote + 1 < text_.size() && text_[quote + 1] == '"';
    if (doubled && joined == nullptr) joined = &unescaped_.emplace_back();
    if (joined != nullptr) joined->append(piece);
    if (!doubled) {
      text = joined != nullptr ? std::string_view(*joined) : piece;
      return quote + 1;
    }
    joined->push_back('"');
    from = quote + 2;
  }
}

bool RecordReader::at_line_end(std::size_t at) const {
  if (text_[at] == '\n') return true;
  return text_[at] == '\r' && at + 1 < text_.size() && text_[at + 1] == '\n';
}

void RecordReader::blame(std::string_view fault, std::size_t offset) {
  if (!fault_.empty()) return;
  fault_ = fault;
  fault_offset_ = offset;
}

std::string RecordReader::position(std::size_t offset) const {
  const std::string_view before = text_.substr(begin_, offset - begin_);
  const std::int64_t line = line_ + std::ranges::count(before, '\n');
  // The record begins a line; within a quoted cell the last line break does.
  const std::string_view same_line = before.substr(before.rfind('\n') + 1);
  const auto characters = std::ranges::count_if(
      same_line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; });
  return cat(line, ':', static_cast<std::int64_t>(characters + 1));
}

}  // namespace weft::data
