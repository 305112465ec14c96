// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "tests/support/error_gallery.h"
#include "weft/io/safetensors.h"

namespace {

using weft::ErrorKind;
using weft::io::SafetensorsFile;

std::string with_length(std::uint64_t length, const std::string& rest) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>((length >> (8 * i)) & 0xff);
  return file + rest;
}

std::string file_of(const std::string& header, std::size_t data_bytes = 0) {
  return with_length(header.size(), header + std::string(data_bytes, '\0'));
}

std::string tensor(const std::string& fields, std::size_t data_bytes = 4) {
  return file_of("{\"x\":{" + fields + "}}", data_bytes);
}

struct Malformed {
  std::string id;
  std::string file;
  std::string message;  ///< without the hint
};

void PrintTo(const Malformed& row, std::ostream* out) { *out << row.id; }

class SafetensorsMalformed : public testing::TestWithParam<Malformed> {};

TEST_P(SafetensorsMalformed, IsRefusedByName) {
  const Malformed& row = GetParam();
  try {
    SafetensorsFile::from_bytes(row.file, "model.safetensors");
  } catch (const weft::Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::model_file);
    EXPECT_EQ(error.where(), "model.safetensors");
    EXPECT_EQ(error.message(), row.message);
    weft::test::add_to_error_gallery("model_file/" + row.id, error.what());
    return;
  }
  FAIL() << "accepted";
}

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

std::string many_ones(int count) {
  std::string text = "1";
  for (int i = 1; i < count; ++i) text += ",1";
  return text;
}

const std::string kGood = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
const std::string kDoubled = R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})";

INSTANTIATE_TEST_SUITE_P(
    Classes, SafetensorsMalformed,
    testing::Values(
        Malformed{"empty", "", "has 0 bytes; a model file begins with a length of 8"},
        Malformed{"seven_bytes", "1234567", "has 7 bytes; a model file begins with a length of 8"},
        Malformed{"length_past_end", with_length(100, "{}"),
                  "claims a header of 100 bytes but has only 10"},
        Malformed{"length_over_limit", with_length(100'000'001, "{}"),
                  "claims a header of 100000001 bytes; at most 100000000 are allowed"},
        Malformed{"length_overflows", with_length(~std::uint64_t{0}, "{}"),
                  "claims a header of 18446744073709551615 bytes; at most 100000000 are allowed"},
        Malformed{"header_empty", with_length(0, ""), "the header does not begin with {"},
        Malformed{"not_utf8", file_of("{\"\xc3\x28\":1}"), "the header is not UTF-8 at byte 10"},
        Malformed{"nul_byte", file_of(std::string("{}\0{}", 5)),
                  "the header is not UTF-8 at byte 10"},
        Malformed{"byte_order_mark", file_of("\xEF\xBB\xBF{}"), "the header does not begin with {"},
        Malformed{"not_json", file_of("{x}"), "the header is not JSON at byte 10"},
        Malformed{"not_an_object", file_of("[]"), "the header does not begin with {"},
        Malformed{"trailing_text", file_of("{} {}"), "the header is not JSON at byte 12"},
        Malformed{"cut_json", file_of("{\"x\":"), "the header is not JSON at byte 14"},
        Malformed{
            "deep", file_of("{\"x\":{\"shape\":" + nested(200'000) + "}}"),
            "tensor `x`: field `shape` holds an array, not a list of unsigned 64-bit integers"},
        Malformed{"entry_is_number", file_of("{\"x\":1}"), "`x` is the number 1, not an object"},
        Malformed{"entry_is_null", file_of("{\"x\":null}"), "`x` is null, not an object"},
        Malformed{"duplicate_tensor", file_of("{\"x\":" + kDoubled + ",\"x\":" + kDoubled + "}", 2),
                  "the name `x` appears twice"},
        Malformed{"duplicate_field", tensor(R"("dtype":"F32","dtype":"F32")"),
                  "tensor `x`: the key `dtype` appears twice"},
        Malformed{"missing_field", tensor(R"("dtype":"F32","shape":[1])"),
                  "tensor `x`: field `data_offsets` is missing"},
        Malformed{"extra_field", tensor(kGood + R"(,"stride":[1])"),
                  "tensor `x`: unknown field `stride`"},
        Malformed{"negative_extent", tensor(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"),
                  "tensor `x`: field `shape` holds a negative number, not a list of unsigned "
                  "64-bit integers"},
        Malformed{"fraction", tensor(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"),
                  "tensor `x`: field `shape` holds the number 1.0, not a list of unsigned 64-bit "
                  "integers"},
        Malformed{"exponent", tensor(R"("dtype":"F32","shape":[1e0],"data_offsets":[0,4])"),
                  "tensor `x`: field `shape` holds the number 1e0, not a list of unsigned 64-bit "
                  "integers"},
        Malformed{"over_64_bits",
                  tensor(R"("dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4])"),
                  "tensor `x`: field `shape` holds the number 18446744073709551616, not a list of "
                  "unsigned 64-bit integers"},
        Malformed{
            "shape_is_number", tensor(R"("dtype":"F32","shape":1,"data_offsets":[0,4])"),
            "tensor `x`: field `shape` holds the number 1, not a list of unsigned 64-bit integers"},
        Malformed{"dtype_is_number", tensor(R"("dtype":32,"shape":[1],"data_offsets":[0,4])"),
                  "tensor `x`: field `dtype` holds the number 32, not the name of a dtype"},
        Malformed{"unknown_dtype", tensor(R"("dtype":"F31","shape":[1],"data_offsets":[0,4])"),
                  "tensor `x`: unknown dtype \"F31\""},
        Malformed{"metadata_not_string", file_of(R"({"__metadata__":{"k":1}})"),
                  "metadata: `k` is the number 1, not a string"},
        Malformed{"metadata_not_object", file_of(R"({"__metadata__":"k"})"),
                  "`__metadata__` is a string, not an object"},
        Malformed{"metadata_duplicate", file_of(R"({"__metadata__":{"k":"1","k":"1"}})"),
                  "metadata: the key `k` appears twice"}));

INSTANTIATE_TEST_SUITE_P(
    Layout, SafetensorsMalformed,
    testing::Values(
        Malformed{"three_offsets", tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,2,4])"),
                  "tensor `x`: data_offsets holds 3 numbers instead of 2"},
        Malformed{"end_before_begin", tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"),
                  "tensor `x`: data_offsets end at 0, before they begin at 4"},
        Malformed{"first_not_at_zero", tensor(R"("dtype":"U8","shape":[3],"data_offsets":[1,4])"),
                  "tensor `x`: data begins at offset 1 but the data before it ends at 0"},
        Malformed{"hole",
                  file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                          R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
                          3),
                  "tensor `b`: data begins at offset 2 but the data before it ends at 1"},
        Malformed{"overlap",
                  file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                          R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                          3),
                  "tensor `b`: data begins at offset 1 but the data before it ends at 2"},
        Malformed{"past_end", tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"),
                  "the tensors need 8 bytes of data and the file holds 4: the file is cut short"},
        Malformed{
            "claims_four_terabytes",
            tensor(R"("dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104])"),
            "the tensors need 4398046511104 bytes of data and the file holds 4: the file is cut "
            "short"},
        Malformed{
            "bytes_after_last", tensor(kGood, 5),
            "the tensors need 4 bytes of data and the file holds 5: bytes follow the last tensor"},
        Malformed{"size_not_shape", tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"),
                  "tensor `x`: F32[2] needs 8 bytes but its data_offsets span 4"},
        Malformed{"product_overflows",
                  tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])"),
                  "tensor `x`: the element count of its shape overflows"},
        Malformed{
            "product_overflows_beside_zero",
            tensor(R"("dtype":"F32","shape":[4294967296,4294967296,0],"data_offsets":[0,0])", 0),
            "tensor `x`: the element count of its shape overflows"},
        Malformed{"bits_overflow",
                  tensor(R"("dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4])"),
                  "tensor `x`: its size in bits overflows"},
        Malformed{"extent_over_63_bits",
                  tensor(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4])"),
                  "tensor `x`: extent 18446744073709551615 is too large"},
        Malformed{"huge_rank",
                  tensor(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"),
                  "tensor `x`: has 9 dimensions; at most 8 are read"},
        Malformed{"long_shape",
                  tensor("\"dtype\":\"F32\",\"shape\":[" + many_ones(100'000) +
                         "],\"data_offsets\":[0,4]"),
                  "tensor `x`: field `shape` holds more than 64 numbers"},
        Malformed{"name_empty", file_of(R"({"":)" + kDoubled + "}", 2),
                  "the tensor name `` is empty"},
        Malformed{"name_long", file_of("{\"" + std::string(2000, 'n') + "\":" + kDoubled + "}", 2),
                  "the tensor name `" + std::string(80, 'n') + "...` is longer than 1024 bytes"},
        Malformed{"name_control", file_of(R"({"a\u001bb":)" + kDoubled + "}", 2),
                  "the tensor name `a\\x1bb` contains control characters"},
        Malformed{"name_path", file_of(R"({"../x":)" + kDoubled + "}", 2),
                  "the tensor name `../x` looks like a path out of its place"},
        Malformed{"format_missing", file_of(R"({"__metadata__":{"weft.config":""}})"),
                  "`weft.format` is missing from the metadata"},
        Malformed{"format_newer", file_of(R"({"__metadata__":{"weft.format":"weft.model/2"}})"),
                  "`weft.format` is \"weft.model/2\"; this version of Weft reads weft.model/1"},
        Malformed{"checksums_missing",
                  file_of(R"({"__metadata__":{"weft.format":"weft.model/1"}})"),
                  "`weft.checksums` is missing from the metadata"},
        Malformed{
            "checksums_foreign",
            file_of(R"({"__metadata__":{"weft.format":"weft.model/1","weft.checksums":"{}"}})"),
            "`weft.checksums` is not a list of xxh3-128 checksums"}));

}  // namespace
