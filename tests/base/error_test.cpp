// SPDX-License-Identifier: Apache-2.0
#include "weft/base/error.h"

#include <gtest/gtest.h>

#include <set>

namespace weft {
namespace {

TEST(Error, SaysWhereWhatAndWhatToDo) {
  const Error plain(ErrorKind::shape, "matmul: shapes differ");
  EXPECT_STREQ(plain.what(), "matmul: shapes differ");
  const Error full(ErrorKind::data, "column `age` expects a number", "quote the cell", "a.csv:3:7");
  EXPECT_STREQ(full.what(), "a.csv:3:7: column `age` expects a number; quote the cell");
  EXPECT_EQ(full.kind(), ErrorKind::data);
  EXPECT_EQ(full.message(), "column `age` expects a number");
  EXPECT_EQ(full.hint(), "quote the cell");
  EXPECT_EQ(full.where(), "a.csv:3:7");
}

TEST(Error, JoinsAHintToAFinishedSentence) {
  EXPECT_STREQ(Error(ErrorKind::memory, "out of memory.", "Try batch 48").what(),
               "out of memory. Try batch 48");
}

TEST(Error, KeepsTheMostPrecisePlace) {
  const Error inner(ErrorKind::shape, "shapes differ");
  const Error placed = inner.at("encoder.fc1");
  EXPECT_STREQ(placed.what(), "encoder.fc1: shapes differ");
  EXPECT_EQ(placed.at("encoder").where(), "encoder.fc1");
}

TEST(Error, KindsHaveDifferentNames) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(ErrorKind::internal); ++i) {
    names.insert(name_of(static_cast<ErrorKind>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(ErrorKind::internal) + 1);
  EXPECT_EQ(name_of(ErrorKind::model_file), "model_file");
}

}  // namespace
}  // namespace weft
