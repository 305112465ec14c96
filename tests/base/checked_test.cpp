// SPDX-License-Identifier: Apache-2.0
#include "weft/base/checked.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/expect_error.h"

namespace weft {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

TEST(Checked, ComputesWhatFits) {
  EXPECT_EQ(checked_mul(3, 5, "x"), 15);
  EXPECT_EQ(checked_mul(kMax, 1, "x"), kMax);
  EXPECT_EQ(checked_mul(kMax, 0, "x"), 0);
  EXPECT_EQ(checked_add(kMax - 1, 1, "x"), kMax);
  EXPECT_EQ(checked_bytes(std::int64_t{1} << 60, 4, "x"), std::size_t{1} << 62);
  EXPECT_EQ(checked_align(0, 64, "x"), 0u);
  EXPECT_EQ(checked_align(1, 64, "x"), 64u);
  EXPECT_EQ(checked_align(64, 64, "x"), 64u);
}

TEST(Checked, RefusesOverflowNamingTheQuantity) {
  EXPECT_WEFT_ERROR(checked_mul(kMax, 2, "rows"), value,
                    "rows: 9223372036854775807 * 2 is too large for 63 bits");
  EXPECT_WEFT_ERROR(checked_add(kMax, 1, "offset"), value,
                    "offset: 9223372036854775807 + 1 is too large for 63 bits");
  EXPECT_WEFT_ERROR(checked_bytes(std::int64_t{1} << 62, 2, "bytes"), value,
                    "bytes: 4611686018427387904 * 2 is too large for 63 bits");
  EXPECT_WEFT_ERROR(checked_align(static_cast<std::size_t>(kMax), 64, "padding"), value,
                    "padding: 9223372036854775807 + 63 is too large for 63 bits");
  EXPECT_WEFT_ERROR(checked_align(std::numeric_limits<std::size_t>::max(), 64, "padding"), value,
                    "padding: -1 is negative");
}

TEST(Checked, RefusesNegativeOperands) {
  EXPECT_WEFT_ERROR(checked_mul(-1, 2, "rows"), value, "rows: -1 is negative, must be 0 or more");
  EXPECT_WEFT_ERROR(checked_add(2, -3, "rows"), value, "rows: -3 is negative, must be 0 or more");
  EXPECT_WEFT_ERROR(checked_bytes(-4, 2, "rows"), value, "rows: -4 is negative, must be 0 or more");
  const std::int64_t dims[] = {2, -2};
  EXPECT_WEFT_ERROR(checked_numel(dims, "shape"), value, "shape: -2 is negative");
}

TEST(Checked, CountsElements) {
  const std::int64_t dims[] = {2, 3, 4};
  EXPECT_EQ(checked_numel(dims, "x"), 24);
  EXPECT_EQ(checked_numel({}, "x"), 1);
}

// A zero extent must not hide that the other extents multiply past 63 bits.
TEST(Checked, RefusesAZeroBesideHugeExtents) {
  const std::int64_t dims[] = {0, std::int64_t{1} << 40, std::int64_t{1} << 40};
  EXPECT_WEFT_ERROR(checked_numel(dims, "shape"), value,
                    "shape: 0 * 1099511627776 * 1099511627776 is too large for 63 bits");
  const std::int64_t fine[] = {0, std::int64_t{1} << 40};
  EXPECT_EQ(checked_numel(fine, "shape"), 0);
}

TEST(Checked, RangeFitsNeverOverflows) {
  constexpr std::uint64_t top = std::numeric_limits<std::uint64_t>::max();
  EXPECT_TRUE(range_fits(0, 0, 0));
  EXPECT_TRUE(range_fits(3, 5, 8));
  EXPECT_FALSE(range_fits(3, 6, 8));
  EXPECT_FALSE(range_fits(9, 0, 8));
  EXPECT_FALSE(range_fits(top, 2, top));
  EXPECT_FALSE(range_fits(2, top, top));
}

}  // namespace
}  // namespace weft
