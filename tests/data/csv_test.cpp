// SPDX-License-Identifier: Apache-2.0
#include "weft/data/csv.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "tests/support/paths.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace {

using namespace weft::data;
using testing::ElementsAre;

Table parse(std::string_view text, const CsvOptions& options = {}) {
  return parse_csv(text, "t.csv", options);
}

TEST(Csv, ReadsNumbersByColumn) {
  const Table table = parse("a,b\n1,2.5\n-3,4e2\n");
  EXPECT_EQ(table.rows, 2);
  EXPECT_THAT(table.names(), ElementsAre("a", "b"));
  EXPECT_THAT(table.columns[0].numbers, ElementsAre(1.0f, -3.0f));
  EXPECT_THAT(table.columns[1].numbers, ElementsAre(2.5f, 400.0f));
}

TEST(Csv, LineEndsMayBeCrLfAndTheLastMayLack) {
  EXPECT_THAT(parse("a,b\r\n1,2\r\n3,4").columns[1].numbers, ElementsAre(2.0f, 4.0f));
}

TEST(Csv, QuotedCellsHoldDelimitersQuotesAndLineBreaks) {
  const Table table = parse("name,n\n\"a, b\",1\n\"say \"\"hi\"\"\",2\n\"two\nlines\",3\n\"\",4\n");
  EXPECT_THAT(table.columns[0].classes, ElementsAre("a, b", "say \"hi\"", "two\nlines"));
  EXPECT_THAT(table.columns[0].codes, ElementsAre(0, 1, 2, -1));
  EXPECT_THAT(table.columns[1].numbers, ElementsAre(1.0f, 2.0f, 3.0f, 4.0f));
}

TEST(Csv, LinesAreCountedThroughQuotedLineBreaksAndBlankLines) {
  const Table table = parse("name,n\n\"two\nlines\",1\nx,2\n\n\ny,3\n");
  EXPECT_EQ(table.where(0), "t.csv:2");
  EXPECT_EQ(table.where(1), "t.csv:4");
  EXPECT_EQ(table.where(2), "t.csv:7");
}

TEST(Csv, ByteOrderMarkIsNoPartOfTheFirstName) {
  EXPECT_EQ(parse("\xEF\xBB\xBF"
                  "a,b\n1,2\n")
                .columns[0]
                .name,
            "a");
}

TEST(Csv, WithoutHeaderColumnsAreNumbered) {
  const Table table = parse("1,2\n3,4\n", {.header = false});
  EXPECT_THAT(table.names(), ElementsAre("c0", "c1"));
  EXPECT_EQ(table.rows, 2);
}

TEST(Csv, UnnamedColumnsAreNumbered) {
  EXPECT_THAT(parse(",a\n1,2\n").names(), ElementsAre("c0", "a"));
}

TEST(Csv, DelimiterIsAnOption) {
  EXPECT_THAT(parse("a;b\n1;2\n", {.delimiter = ';'}).columns[1].numbers, ElementsAre(2.0f));
  EXPECT_THAT(parse("a\tb\n1\t2\n", {.delimiter = '\t'}).columns[1].numbers, ElementsAre(2.0f));
}

TEST(Csv, MissingMarkersAreMissingNotZero) {
  const Table table = parse("a,s\n1,x\n,\nNA,NaN\n");
  EXPECT_EQ(table.columns[0].missing, 2);
  EXPECT_TRUE(std::isnan(table.columns[0].numbers[1]));
  EXPECT_THAT(table.columns[1].codes, ElementsAre(0, -1, -1));
}

TEST(Csv, MissingMarkersMayLookLikeNumbers) {
  const Table table = parse("a\n1\n-999\n", {.missing = {"-999"}});
  EXPECT_TRUE(std::isnan(table.columns[0].numbers[1]));
  EXPECT_EQ(table.columns[0].missing, 1);
}

TEST(Csv, NumbersMayHaveSpacesAndAPlusSign) {
  EXPECT_THAT(parse("a,b\n 1,\t+2.5 \n").columns[1].numbers, ElementsAre(2.5f));
}

TEST(Csv, KindsAreInferred) {
  const Table table = parse("n,b,s,m\n1,true,x,\n2,False,y,\n");
  EXPECT_EQ(table.columns[0].kind, ColumnKind::numeric);
  EXPECT_EQ(table.columns[1].kind, ColumnKind::boolean);
  EXPECT_THAT(table.columns[1].numbers, ElementsAre(1.0f, 0.0f));
  EXPECT_EQ(table.columns[2].kind, ColumnKind::category);
  EXPECT_EQ(table.columns[3].kind, ColumnKind::numeric);
  EXPECT_EQ(table.columns[3].missing, 2);
}

TEST(Csv, KindsCanBeForced) {
  const Table table =
      parse("zip,flag,id\n10115,yes,1\n20095,0,2\n", {.columns = {{"zip", ColumnKind::category},
                                                                  {"flag", ColumnKind::boolean},
                                                                  {"id", ColumnKind::ignore}}});
  EXPECT_THAT(table.columns[0].classes, ElementsAre("10115", "20095"));
  EXPECT_THAT(table.columns[1].numbers, ElementsAre(1.0f, 0.0f));
  EXPECT_TRUE(table.columns[2].numbers.empty());
}

TEST(Csv, ClassesThatAreNumbersSortByValue) {
  const Table table = parse("c\n10\n9\n-1\n9\n", {.columns = {{"c", ColumnKind::category}}});
  EXPECT_THAT(table.columns[0].classes, ElementsAre("-1", "9", "10"));
  EXPECT_THAT(table.columns[0].codes, ElementsAre(2, 1, 0, 1));
}

TEST(Csv, LenientTakesBadCellsAsMissing) {
  const Table table = parse("a,b\n1,2\nx,3\n4,5\n", {.on_error = OnError::lenient});
  EXPECT_EQ(table.rows, 3);
  EXPECT_EQ(table.bad_cells, 1);
  EXPECT_TRUE(std::isnan(table.columns[0].numbers[1]));
}

TEST(Csv, DropRowLeavesOutBadAndRaggedRows) {
  const Table table = parse("a,s\n1,p\nx,only here\n2\n3,q\n", {.on_error = OnError::drop_row});
  EXPECT_EQ(table.rows, 2);
  EXPECT_EQ(table.dropped_rows, 2);
  EXPECT_THAT(table.columns[0].numbers, ElementsAre(1.0f, 3.0f));
  EXPECT_THAT(table.columns[1].classes, ElementsAre("p", "q"));
  EXPECT_EQ(table.where(1), "t.csv:5");
}

TEST(Csv, CellsAreKeptAsTextOnRequest) {
  const Table table =
      parse("a,s\n 1.50,\"x, y\"\nbad,z\n2,\n", {.on_error = OnError::drop_row, .keep_text = true});
  EXPECT_THAT(table.text, ElementsAre(ElementsAre(" 1.50", "x, y"), ElementsAre("2", "")));
  EXPECT_TRUE(parse("a\n1\n").text.empty());
}

TEST(Csv, CellsAreQuotedOnlyWhenTheyMustBe) {
  EXPECT_EQ(csv_cell("plain"), "plain");
  EXPECT_EQ(csv_cell("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_cell("a,b", ';'), "a,b");
  EXPECT_EQ(csv_cell("a;b", ';'), "\"a;b\"");
  EXPECT_EQ(csv_cell("a \"b\"\n"), "\"a \"\"b\"\"\n\"");
}

TEST(Csv, AnySpellingOfANumberIsRoundedCorrectly) {
  std::mt19937_64 random(1);
  std::string text = "a\n";
  std::vector<float> expected;
  for (int i = 0; i < 20'000; ++i) {
    const auto digits = static_cast<long long>(random() >> (10 + random() % 50));
    const int places = static_cast<int>(random() % 12);
    std::string cell = std::to_string(digits);
    if (places > 0)
      cell.insert(cell.size() - std::min<std::size_t>(cell.size(), random() % 12), ".");
    if (random() % 8 == 0) cell += "e" + std::to_string(static_cast<int>(random() % 20) - 10);
    if (random() % 3 == 0) cell.insert(0, "-");
    text += cell + "\n";
    expected.push_back(std::strtof(cell.c_str(), nullptr));
  }
  const Table table = parse(text);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(table.columns[0].numbers[i], expected[i]) << "row " << i << " of seed 1";
  }
}

// Rounded to f64 first, these fall on the middle between two f32 and then to the wrong side.
TEST(Csv, NumbersNextToTheMiddleOfTwoFloatsAreRoundedOnce) {
  for (const std::string cell : {"8.134364604949951", "8.847434520721435", "8.255069255828857"}) {
    const float expected = std::strtof(cell.c_str(), nullptr);
    EXPECT_NE(static_cast<float>(std::strtod(cell.c_str(), nullptr)), expected);
    EXPECT_EQ(parse("a\n" + cell + "\n").columns[0].numbers[0], expected);
  }
}

TEST(Csv, NumbersBelowTheSmallestFloatAreRounded) {
  const Table table = parse("a\n1e-50\n-1e-44\n");
  EXPECT_EQ(table.columns[0].numbers[0], 0.0f);
  EXPECT_EQ(table.columns[0].numbers[1], -1e-44f);
}

// Cells of arbitrary text, written as RFC 4180 says, come back as they were.
TEST(Csv, QuotedTextRoundTrips) {
  std::mt19937 random(7);
  constexpr std::string_view kAlphabet = "ab,\"\n\r;é ";
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> cells;
    std::string text = "s,n\r\n";
    for (int row = 0; row < 4; ++row) {
      std::string cell = "k" + std::to_string(row);
      for (auto i = random() % 6; i > 0; --i) {
        const char c = kAlphabet[random() % (kAlphabet.size() - 3)];
        cell += c;
      }
      text += csv_cell(cell) + ",1\r\n";
      cells.push_back(cell);
    }
    const Column column = parse(text).columns[0];
    for (std::size_t row = 0; row < cells.size(); ++row) {
      EXPECT_EQ(column.classes[static_cast<std::size_t>(column.codes[row])], cells[row])
          << "seed 7, round " << round;
    }
  }
}

TEST(Csv, ReadsTheDigitsExample) {
  const Table table = read_csv(weft::test::source_dir() / "examples/digits/digits.csv",
                               {.columns = {{"digit", ColumnKind::category}}});
  EXPECT_EQ(table.rows, 1797);
  EXPECT_EQ(table.columns.size(), 65u);
  EXPECT_THAT(table.columns[64].classes,
              ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"));
  double sum = 0;
  for (std::size_t c = 0; c < 64; ++c) {
    for (const float value : table.columns[c].numbers) sum += value;
  }
  // awk -F, 'NR>1 {for (i = 1; i < NF; ++i) s += $i} END {print s}' digits.csv
  EXPECT_EQ(sum, 561718);
}

}  // namespace
