// SPDX-License-Identifier: Apache-2.0
#include "weft/data/split.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "tests/support/error_gallery.h"

namespace {

using testing::ElementsAre;
using weft::data::Split;
using weft::data::split_rows;

std::vector<std::int32_t> cyclic_classes(std::int64_t rows, std::int32_t classes) {
  std::vector<std::int32_t> result;
  for (std::int64_t row = 0; row < rows; ++row)
    result.push_back(static_cast<std::int32_t>(row) % classes);
  return result;
}

std::map<std::int32_t, int> counts(const std::vector<std::int64_t>& rows,
                                   const std::vector<std::int32_t>& classes) {
  std::map<std::int32_t, int> result;
  for (const std::int64_t row : rows) ++result[classes[static_cast<std::size_t>(row)]];
  return result;
}

TEST(Split, ValAndTestAreRoundedDownAndTrainTakesTheRest) {
  const auto classes = cyclic_classes(1797, 10);
  for (const bool stratify : {true, false}) {
    const Split split =
        split_rows(1797, {.train = 0.7, .val = 0.1, .test = 0.2, .stratify = stratify}, 1, classes);
    EXPECT_EQ(split.train.size(), 1259u);
    EXPECT_EQ(split.val.size(), 179u);
    EXPECT_EQ(split.test.size(), 359u);
  }
}

TEST(Split, SharesThatAreWholeInDecimalAreWhole) {
  // 0.29 * 100 is 28.999999999999996 in binary.
  EXPECT_EQ(split_rows(100, {.train = 0.42, .val = 0.29, .test = 0.29}, 1).test.size(), 29u);
}

TEST(Split, EveryRowGoesToOnePart) {
  const Split split = split_rows(101, {}, 3, cyclic_classes(101, 3));
  std::vector<std::int64_t> all = split.train;
  all.insert(all.end(), split.val.begin(), split.val.end());
  all.insert(all.end(), split.test.begin(), split.test.end());
  std::ranges::sort(all);
  std::vector<std::int64_t> expected(101);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(all, expected);
}

TEST(Split, ClassesKeepTheirProportion) {
  std::vector<std::int32_t> classes(1000, 0);
  std::fill_n(classes.begin(), 100, 1);
  const Split split = split_rows(1000, {.train = 0.7, .val = 0.1, .test = 0.2}, 5, classes);
  EXPECT_THAT(counts(split.test, classes),
              ElementsAre(testing::Pair(0, 180), testing::Pair(1, 20)));
  EXPECT_THAT(counts(split.val, classes), ElementsAre(testing::Pair(0, 90), testing::Pair(1, 10)));
}

TEST(Split, RareClassesStayInTrain) {
  std::vector<std::int32_t> classes(40, 0);
  for (std::int32_t c = 1; c <= 8; ++c) classes[static_cast<std::size_t>(c)] = c;  // one row each
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Split split = split_rows(40, {.train = 0.5, .val = 0.25, .test = 0.25}, seed, classes);
    EXPECT_EQ(split.test.size(), 10u);
    EXPECT_EQ(counts(split.train, classes).size(), 9u) << "seed " << seed;
  }
}

TEST(Split, DependsOnTheSeedAlone) {
  const auto classes = cyclic_classes(200, 4);
  const Split first = split_rows(200, {}, 7, classes);
  EXPECT_EQ(split_rows(200, {}, 7, classes).train, first.train);
  EXPECT_NE(split_rows(200, {}, 8, classes).train, first.train);
}

// Taken once from this implementation: files and machines must agree on who is in the test part.
TEST(Split, IsTheSameOnEveryMachine) {
  EXPECT_THAT(split_rows(20, {.train = 0.5, .val = 0.25, .test = 0.25}, 42).test,
              ElementsAre(3, 5, 8, 11, 12));
}

TEST(Split, SharesMustSumToOne) {
  EXPECT_WEFT_ERROR(split_rows(10, {.train = 0.7, .val = 0.2, .test = 0.2}, 0),
                    weft::ErrorKind::value,
                    "split: train 0.7, val 0.2 and test 0.2 must not be negative and must sum to 1",
                    "data/split-shares");
  EXPECT_THROW(split_rows(10, {.train = 1.2, .val = -0.2, .test = 0}, 0), weft::Error);
}

}  // namespace
