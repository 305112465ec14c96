// SPDX-License-Identifier: Apache-2.0
#include "weft/base/shape.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/expect_error.h"

namespace weft {
namespace {

TEST(Shape, CountsElements) {
  EXPECT_EQ(Shape().numel(), 1);
  EXPECT_EQ(Shape({0}).numel(), 0);
  EXPECT_EQ(Shape({2, 3, 4}).numel(), 24);
  EXPECT_EQ(Shape({2, 3, 4}).numel(1, 3), 12);
  EXPECT_EQ(Shape({2, 3, 4}).numel(2, 2), 1);
}

TEST(Shape, RefusesWhatCannotBeCounted) {
  EXPECT_WEFT_ERROR(Shape({2, -3}), shape,
                    "shape: [2,-3] has a negative extent; extents must be 0 or more");
  EXPECT_WEFT_ERROR(Shape({-3}), shape, "shape: [-3] has a negative extent");
  EXPECT_WEFT_ERROR(Shape({std::int64_t{1} << 40, std::int64_t{1} << 40}), shape,
                    "has too many elements to count in 63 bits");
  EXPECT_WEFT_ERROR(Shape({0, std::int64_t{1} << 40, std::int64_t{1} << 40}), shape,
                    "has too many elements");
  EXPECT_WEFT_ERROR(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), shape,
                    "shape: 9 dimensions given, at most 8 are possible");
}

TEST(Shape, GrowsNoFurtherThanEightDimensions) {
  Dims dims{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_WEFT_ERROR(dims.push_back(9), shape, "9 dimensions given");
  EXPECT_EQ(dims.rank(), 8);
}

TEST(Shape, EqualityIgnoresUnusedPlaces) {
  Dims a{1, 2, 3};
  Dims b{1, 2};
  EXPECT_NE(a, b);
  b.push_back(3);
  EXPECT_EQ(a, b);
}

TEST(Shape, CountsDimensionsFromBothEnds) {
  const Shape shape({2, 3, 4});
  EXPECT_EQ(shape.dim_index(0, "sum"), 0);
  EXPECT_EQ(shape.dim_index(-1, "sum"), 2);
  EXPECT_EQ(shape.dim_index(-3, "sum"), 0);
  EXPECT_WEFT_ERROR(shape.dim_index(3, "sum"), index,
                    "sum: dim is 3 but the input has shape [2,3,4]; dim must be in [-3, 3)");
  EXPECT_WEFT_ERROR(shape.dim_index(-4, "sum"), index, "dim is -4");
  EXPECT_WEFT_ERROR(Shape().dim_index(0, "sum"), index, "sum: dim is 0 but the input is a scalar");
}

TEST(Shape, ReplacesRemovesAndInsertsExtents) {
  const Shape shape({2, 3, 4});
  EXPECT_EQ(shape.with(1, 7), Shape({2, 7, 4}));
  EXPECT_EQ(shape.with(1, 7).numel(), 56);
  EXPECT_EQ(shape.without(0), Shape({3, 4}));
  EXPECT_EQ(shape.inserted(0, 1), Shape({1, 2, 3, 4}));
  EXPECT_EQ(shape.inserted(3, 5), Shape({2, 3, 4, 5}));
}

TEST(Shape, PrintsInBrackets) {
  EXPECT_EQ(to_string(Shape()), "[]");
  EXPECT_EQ(to_string(Shape({2, 3})), "[2,3]");
}

TEST(Broadcast, FollowsNumPy) {
  EXPECT_EQ(broadcast(Shape({2, 3}), Shape({3}), "add"), Shape({2, 3}));
  EXPECT_EQ(broadcast(Shape({2, 1}), Shape({1, 3}), "add"), Shape({2, 3}));
  EXPECT_EQ(broadcast(Shape(), Shape({4, 1}), "add"), Shape({4, 1}));
  EXPECT_EQ(broadcast(Shape({0, 3}), Shape({1, 3}), "add"), Shape({0, 3}));
  EXPECT_EQ(broadcast(Shape({1}), Shape({0}), "add"), Shape({0}));
}

TEST(Broadcast, NamesTheDimensionThatDiffers) {
  EXPECT_WEFT_ERROR(broadcast(Shape({5, 2, 3}), Shape({4, 3}), "add"), shape,
                    "add: shapes [5,2,3] and [4,3] do not broadcast: dimension -2 is 2 and 4; they "
                    "must be equal or 1");
  EXPECT_WEFT_ERROR(broadcast(Shape({0}), Shape({2}), "add"), shape, "dimension -1 is 0 and 2");
}

}  // namespace
}  // namespace weft
