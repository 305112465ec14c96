// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "io/utf8.h"
#include "weft/base/checked.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::io {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxListed = 64;

struct RawEntry {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::vector<std::uint64_t> offsets;
};

/// Takes the header's events one by one: duplicates, foreign fields and wrong types end the parse
/// at once with `fault`. The format is three levels deep, so nesting cannot grow.
class HeaderEvents : public nlohmann::json_sax<json> {
 public:
  Metadata metadata;
  std::vector<RawEntry> entries;
  std::string fault;

  bool null() override { return refuse("null"); }
  bool boolean(bool) override { return refuse("a boolean"); }
  bool number_integer(number_integer_t) override { return refuse("a negative number"); }
  bool number_float(number_float_t, const string_t& text) override {
    return refuse(cat("the number ", weft::quoted(text)));
  }
  bool binary(binary_t&) override { return refuse("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::list) return refuse(cat("the number ", value));
    if (list_->size() == kMaxListed) {
      return stop(cat(where(), "field `", key_, "` holds more than ", kMaxListed, " numbers"));
    }
    list_->push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      metadata.emplace(key_, std::move(value));
      return true;
    }
    if (place_ != Place::entry || key_ != "dtype") return refuse("a string");
    entries.back().dtype = std::move(value);
    return true;
  }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::start:
        place_ = Place::top;
        return true;
      case Place::top:
        place_ = key_ == kMetadataKey ? Place::metadata : Place::entry;
        fields_.clear();
        if (place_ == Place::entry)
          entries.push_back({.name = key_, .dtype = {}, .shape = {}, .offsets = {}});
        return true;
      default:
        return refuse("an object");
    }
  }

  bool end_object() override {
    if (place_ == Place::top) {
      place_ = Place::end;
      return true;
    }
    if (place_ == Place::entry && fields_.size() != 3) return refuse_missing_field();
    place_ = Place::top;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::entry || key_ == "dtype") return refuse("an array");
    list_ = key_ == "shape" ? &entries.back().shape : &entries.back().offsets;
    place_ = Place::list;
    return true;
  }

  bool end_array() override {
    place_ = Place::entry;
    return true;
  }

  bool key(string_t& name) override {
    key_ = std::move(name);
    if (place_ == Place::top) {
      return names_.insert(key_).second ||
             stop(cat("the name `", weft::quoted(key_), "` appears twice"));
    }
    if (place_ == Place::entry && key_ != "dtype" && key_ != "shape" && key_ != "data_offsets") {
      return stop(cat(where(), "unknown field `", weft::quoted(key_), "`"));
    }
    return fields_.insert(key_).second ||
           stop(cat(where(), "the key `", weft::quoted(key_), "` appears twice"));
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return stop(cat("the header is not JSON at byte ", kLengthBytes + position));
  }

 private:
  enum class Place { start, top, metadata, entry, list, end };

  std::string where() const {
    if (place_ == Place::metadata) return "metadata: ";
    if (place_ == Place::entry || place_ == Place::list) {
      return cat("tensor `", weft::quoted(entries.back().name), "`: ");
    }
    return {};
  }

  bool stop(std::string message) {
    fault = std::move(message);
    return false;
  }

  bool refuse(std::string_view found) {
    switch (place_) {
      case Place::start:
        return stop(cat("the header is ", found, ", not an object"));
      case Place::top:
        return stop(cat("`", weft::quoted(key_), "` is ", found, ", not an object"));
      case Place::metadata:
        return stop(cat("metadata: `", weft::quoted(key_), "` is ", found, ", not a string"));
      default:
        return stop(cat(where(), "field `", key_, "` holds ", found,
                        key_ == "dtype" ? ", not the name of a dtype"
                                        : ", not a list of unsigned 64-bit integers"));
    }
  }

  bool refuse_missing_field() {
    for (const std::string_view field : {"dtype", "shape", "data_offsets"}) {
      if (!fields_.contains(std::string(field))) {
        return stop(cat(where(), "field `", field, "` is missing"));
      }
    }
    return true;
  }

  Place place_ = Place::start;
  std::string key_;
  std::set<std::string> names_;
  std::set<std::string> fields_;
  std::vector<std::uint64_t>* list_ = nullptr;
};

[[noreturn]] void fail(const std::string& file, std::string_view message) {
  throw Error(ErrorKind::model_file, std::string(message),
              "the file is damaged or not a model file", file);
}

[[noreturn]] void fail(const std::string& file, const RawEntry& entry, std::string_view message) {
  fail(file, cat("tensor `", weft::quoted(entry.name), "`: ", message));
}

Shape shape_of(const std::string& file, const RawEntry& entry) {
  if (entry.shape.size() > kMaxRank) {
    fail(file, entry,
         cat("has ", entry.shape.size(), " dimensions; at most ", kMaxRank, " are read"));
  }
  std::vector<std::int64_t> extents;
  for (const std::uint64_t extent : entry.shape) {
    if (extent > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fail(file, entry, cat("extent ", extent, " is too large"));
    }
    extents.push_back(static_cast<std::int64_t>(extent));
  }
  try {
    // A zero extent must not hide an overflowing product of the others.
    std::vector<std::int64_t> positive = extents;
    std::erase(positive, 0);
    checked_numel(positive, "elements");
    return Shape(extents);
  } catch (const Error&) {
    fail(file, entry, cat("the element count of its shape overflows"));
  }
}

const FormatDType& format_dtype(const std::string& file, const RawEntry& entry) {
  const auto* found = std::ranges::find(kFormatDTypes, entry.dtype, &FormatDType::name);
  if (found == kFormatDTypes.end()) {
    fail(file, entry, cat("unknown dtype \"", weft::quoted(entry.dtype), "\""));
  }
  return *found;
}

std::uint64_t bytes_of(const std::string& file, const RawEntry& entry, const Shape& shape,
                       int bits) {
  std::int64_t total = 0;
  try {
    total = checked_mul(shape.numel(), bits, "bits");
  } catch (const Error&) {
    fail(file, entry, "its size in bits overflows");
  }
  if (total % 8 != 0) fail(file, entry, cat("its ", total, " bits do not fill whole bytes"));
  return static_cast<std::uint64_t>(total / 8);
}

// Sorted by offsets, data must begin at 0 and follow without hole or overlap up to the end of file.
void check_layout(const std::string& file, std::vector<RawEntry>& entries,
                  std::uint64_t data_bytes) {
  for (const RawEntry& entry : entries) {
    if (entry.offsets.size() != 2) {
      fail(file, entry, cat("data_offsets holds ", entry.offsets.size(), " numbers instead of 2"));
    }
    if (entry.offsets[0] > entry.offsets[1]) {
      fail(file, entry,
           cat("data_offsets end at ", entry.offsets[1], ", before they begin at ",
               entry.offsets[0]));
    }
  }
  // Empty tensors share their offset with the next one; the name settles the order.
  std::ranges::sort(entries, {},
                    [](const RawEntry& e) { return std::tie(e.offsets[0], e.offsets[1], e.name); });
  std::uint64_t expected = 0;
  for (const RawEntry& entry : entries) {
    if (entry.offsets[0] != expected) {
      fail(file, entry,
           cat("data begins at offset ", entry.offsets[0], " but the data before it ends at ",
               expected));
    }
    expected = entry.offsets[1];
  }
  if (expected != data_bytes) {
    const std::string_view what =
        expected > data_bytes ? "the file is cut short" : "bytes follow the last tensor";
    fail(file, cat("the tensors need ", expected, " bytes of data and the file holds ", data_bytes,
                   ": ", what));
  }
}

TensorEntry validated(const std::string& file, RawEntry& raw, std::uint64_t data_start) {
  const FormatDType& dtype = format_dtype(file, raw);
  const Shape shape = shape_of(file, raw);
  const std::uint64_t bytes = bytes_of(file, raw, shape, dtype.bits);
  const std::uint64_t given = raw.offsets[1] - raw.offsets[0];
  if (bytes != given) {
    fail(file, raw,
         cat(dtype.name, to_string(shape), " needs ", bytes, " bytes but its data_offsets span ",
             given));
  }
  return {.name = std::move(raw.name),
          .dtype_name = std::string(dtype.name),
          .dtype = dtype.dtype,
          .shape = shape,
          .offset = data_start + raw.offsets[0],
          .bytes = bytes};
}

}  // namespace

std::string_view fault_of_name(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxNameBytes) return "is longer than 1024 bytes";
  if (first_invalid_utf8(name) != name.size()) return "is not UTF-8";
  if (std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    return "contains control characters";
  }
  if (name.front() == '/' || cat("/", name, "/").find("/../") != std::string::npos) {
    return "looks like a path out of its place";
  }
  return {};
}

Header parse_header(std::string_view text, std::uint64_t file_bytes, const std::string& file) {
  if (const std::size_t bad = first_invalid_utf8(text); bad != text.size()) {
    fail(file, cat("the header is not UTF-8 at byte ", kLengthBytes + bad));
  }
  // The parser would skip a byte-order mark.
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') {
    fail(file, "the header does not begin with {");
  }
  HeaderEvents events;
  if (!json::sax_parse(text.begin(), text.end(), &events)) fail(file, events.fault);
  for (const RawEntry& entry : events.entries) {
    if (const std::string_view fault = fault_of_name(entry.name); !fault.empty()) {
      fail(file, cat("the tensor name `", weft::quoted(entry.name), "` ", fault));
    }
  }
  const std::uint64_t data_start = kLengthBytes + text.size();
  Header header{.metadata = std::move(events.metadata), .entries = {}};
  check_layout(file, events.entries, file_bytes - data_start);
  header.entries.reserve(events.entries.size());
  for (RawEntry& raw : events.entries) header.entries.push_back(validated(file, raw, data_start));
  return header;
}

std::string checksums_text(std::string_view header,
                           const std::map<std::string, std::string>& tensors) {
  const nlohmann::ordered_json text = {
      {"algorithm", "xxh3-128"}, {"header", header}, {"tensors", json(tensors)}};
  return text.dump();
}

Checksums parse_checksums(std::string_view text) {
  try {
    const json parsed = json::parse(text);
    Checksums sums{.header = parsed.at("header").get<std::string>(),
                   .tensors = parsed.at("tensors").get<std::map<std::string, std::string>>()};
    // Only the exact form is taken: a second spelling would be a byte whose change goes unnoticed.
    if (checksums_text(sums.header, sums.tensors) == text && sums.header.size() == kDigestDigits)
      return sums;
  } catch (const json::exception&) {
  }
  throw Error(ErrorKind::value, "`weft.checksums` is not a list of xxh3-128 checksums");
}

}  // namespace weft::io
