// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "tests/support/error_gallery.h"
#include "weft/data/csv.h"

namespace {

using weft::ErrorKind;
using weft::data::ColumnKind;
using weft::data::OnError;
using weft::data::parse_csv;

TEST(CsvErrors, CellOfAnotherKindSaysWhereWhatAndExpected) {
  EXPECT_WEFT_ERROR(parse_csv("id,tenure\n1,12\n2,12 months\n3,7\n", "churn.csv"), ErrorKind::data,
                    "churn.csv:3:3: column `tenure` expects a number, got \"12 months\"",
                    "csv/not-a-number");
  EXPECT_WEFT_ERROR(
      parse_csv("ok\ntrue\nmaybe\n", "churn.csv", {.columns = {{"ok", ColumnKind::boolean}}}),
      ErrorKind::data, "churn.csv:3:1: column `ok` expects true or false, got \"maybe\"",
      "csv/not-a-boolean");
}

TEST(CsvErrors, NumbersMustBeFiniteAndWhole) {
  for (const std::string cell :
       {"inf", "-inf", "nan", "1e39", "0x10", "1_000", "1.2.3", "+-1", ".", "-", "1e", "1,5 "}) {
    const std::string text = "a\n1\n2\n3\n\"" + cell + "\"\n";
    EXPECT_WEFT_ERROR(parse_csv(text, "t.csv"), ErrorKind::data,
                      "t.csv:5:1: column `a` expects a number, got \"" + cell + "\"",
                      "csv/no-number");
  }
}

TEST(CsvErrors, AllAreToldAtOnce) {
  EXPECT_WEFT_ERROR(parse_csv("a,b\n1,2\n3,4\nx,5\n6\n7,y\n", "t.csv"), ErrorKind::data,
                    "t.csv:4:1: column `a` expects a number, got \"x\"\n"
                    "t.csv:5: the row has 1 cells but the header has 2\n"
                    "t.csv:6:3: column `b` expects a number, got \"y\"",
                    "csv/several");
}

TEST(CsvErrors, BeyondTwentyTheyAreCounted) {
  std::string text = "a\n";
  for (int i = 0; i < 40; ++i) text += "1\n";
  for (int i = 0; i < 35; ++i) text += "x\n";
  try {
    parse_csv(text, "t.csv");
    FAIL() << "accepted";
  } catch (const weft::Error& error) {
    const std::string what = error.what();
    EXPECT_EQ(std::count(what.begin(), what.end(), '\n'), 20);
    EXPECT_TRUE(what.ends_with("\nand 15 more")) << what;
  }
}

TEST(CsvErrors, RowsOfAnotherLength) {
  EXPECT_WEFT_ERROR(parse_csv("a,b\n1,2\n1,2,3\n", "t.csv"), ErrorKind::data,
                    "t.csv:3: the row has 3 cells but the header has 2", "csv/row-too-long");
  EXPECT_WEFT_ERROR(parse_csv("a,b\n1,2\n1\n", "t.csv"), ErrorKind::data,
                    "t.csv:3: the row has 1 cells but the header has 2", "csv/row-too-short");
  EXPECT_WEFT_ERROR(parse_csv("1,2\n1\n", "t.csv", {.header = false}), ErrorKind::data,
                    "t.csv:2: the row has 1 cells but the first row has 2",
                    "csv/row-too-short-no-header");
  EXPECT_WEFT_ERROR(parse_csv("a,b\n1,2\n1\n", "t.csv", {.on_error = OnError::lenient}),
                    ErrorKind::data, "t.csv:3: the row has 1 cells but the header has 2",
                    "csv/row-too-short");
}

TEST(CsvErrors, QuotesOutOfPlace) {
  EXPECT_WEFT_ERROR(parse_csv("a,b\n1,\"x\n2,y\n", "t.csv"), ErrorKind::data,
                    "t.csv:2:3: a quote that is never closed", "csv/unterminated-quote");
  EXPECT_WEFT_ERROR(parse_csv("a,b\n1,\"x\"y\n", "t.csv"), ErrorKind::data,
                    "t.csv:2:6: text after a closing quote", "csv/text-after-quote");
  EXPECT_WEFT_ERROR(parse_csv("a,b\n1,x\"y\n", "t.csv"), ErrorKind::data,
                    "t.csv:2:4: a quote inside a cell that does not begin with one",
                    "csv/stray-quote");
  EXPECT_WEFT_ERROR(parse_csv("a,b\n1,x\ry\n", "t.csv"), ErrorKind::data,
                    "t.csv:2:4: a carriage return without line feed", "csv/carriage-return");
}

TEST(CsvErrors, UnterminatedQuoteStopsDropRowToo) {
  EXPECT_WEFT_ERROR(parse_csv("a,b\n1,\"x\n2,y\n", "t.csv", {.on_error = OnError::drop_row}),
                    ErrorKind::data, "t.csv:2:3: a quote that is never closed",
                    "csv/unterminated-quote");
}

TEST(CsvErrors, NamesInTheHeader) {
  EXPECT_WEFT_ERROR(
      parse_csv("a,b,a\n1,2,3\n", "t.csv"), ErrorKind::data,
      "t.csv:1:5: two columns are called `a`; give each column its own name, or set header: false",
      "csv/duplicate-name");
  EXPECT_WEFT_ERROR(
      parse_csv("digit,b\n1,2\n", "t.csv", {.columns = {{"digits", ColumnKind::category}}}),
      ErrorKind::data, "t.csv: no column `digits`; did you mean `digit`?", "csv/no-column");
}

TEST(CsvErrors, BytesThatAreNoText) {
  EXPECT_WEFT_ERROR(parse_csv(std::string("a,b\n1,\0\n", 8), "t.csv"), ErrorKind::data,
                    "t.csv:2:3: a NUL byte; convert the file to UTF-8", "csv/nul-byte");
  EXPECT_WEFT_ERROR(parse_csv("a,b\n1,\xe9t\xe9\n", "t.csv"), ErrorKind::data,
                    "t.csv:2:3: bytes that are not UTF-8; convert the file to UTF-8",
                    "csv/not-utf8");
  EXPECT_WEFT_ERROR(
      parse_csv(std::string("\xff\xfe"
                            "a\0",
                            4),
                "t.csv"),
      ErrorKind::data,
      "t.csv:1:1: bytes that are not UTF-8; convert the file to UTF-8 (it looks like UTF-16)",
      "csv/utf-16");
}

TEST(CsvErrors, FilesWithoutRows) {
  EXPECT_WEFT_ERROR(parse_csv("", "t.csv"), ErrorKind::data, "t.csv: is empty", "csv/empty");
  EXPECT_WEFT_ERROR(parse_csv("\xEF\xBB\xBF", "t.csv"), ErrorKind::data, "t.csv: is empty",
                    "csv/empty");
  EXPECT_WEFT_ERROR(parse_csv("\n\n", "t.csv"), ErrorKind::data, "t.csv: is empty", "csv/empty");
  EXPECT_WEFT_ERROR(parse_csv("a,b\n", "t.csv"), ErrorKind::data, "t.csv: has no rows",
                    "csv/no-rows");
}

TEST(CsvErrors, ColumnsCountCharactersNotBytes) {
  EXPECT_WEFT_ERROR(parse_csv("s,n\nx,1\n\xc3\xa9\xc3\xa9,y\n", "t.csv"), ErrorKind::data,
                    "t.csv:3:4: column `n` expects a number, got \"y\"", "csv/not-a-number");
}

TEST(CsvErrors, PositionsAfterAQuotedLineBreakAreThoseOfTheEditor) {
  EXPECT_WEFT_ERROR(parse_csv("s,n\nx,1\ny,2\n\"a\nbb\",z\n", "t.csv"), ErrorKind::data,
                    "t.csv:5:5: column `n` expects a number, got \"z\"", "csv/not-a-number");
}

TEST(CsvErrors, CellsAreShownEscapedAndCut) {
  const std::string cell = "\x1b[31m" + std::string(200, 'x');
  EXPECT_WEFT_ERROR(
      parse_csv("a\n1\n2\n" + cell + "\n", "t.csv"), ErrorKind::data,
      "t.csv:4:1: column `a` expects a number, got \"\\x1b[31m" + std::string(72, 'x') + "...\"",
      "csv/escaped");
}

TEST(CsvErrors, DelimiterMustBeOne) {
  EXPECT_WEFT_ERROR(
      parse_csv("a\n1\n", "t.csv", {.delimiter = '"'}), ErrorKind::value,
      "csv: the delimiter must be one ASCII character, neither a quote nor a line break",
      "csv/delimiter");
}

TEST(CsvErrors, AbsentFileIsAnIoError) {
  EXPECT_WEFT_ERROR(weft::data::read_csv("/nowhere/t.csv"), ErrorKind::io,
                    "cannot open /nowhere/t.csv: No such file or directory", "csv/absent");
}

}  // namespace
