// SPDX-License-Identifier: Apache-2.0
#include "weft/base/dtype.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weft {
namespace {

// The table of docs/dtypes.md, rows and columns in the order of kAllDTypes.
TEST(DType, PromotesAsDocumented) {
  const std::vector<std::vector<std::string>> table = {
      {"f64", "f64", "f64", "f64", "f64", "f64", "f64", "f64"},
      {"f64", "f32", "f32", "f32", "f32", "f32", "f32", "f32"},
      {"f64", "f32", "bf16", "f32", "bf16", "bf16", "bf16", "bf16"},
      {"f64", "f32", "f32", "f16", "f16", "f16", "f16", "f16"},
      {"f64", "f32", "bf16", "f16", "i64", "i64", "i64", "i64"},
      {"f64", "f32", "bf16", "f16", "i64", "i32", "i32", "i32"},
      {"f64", "f32", "bf16", "f16", "i64", "i32", "u8", "u8"},
      {"f64", "f32", "bf16", "f16", "i64", "i32", "u8", "bool"}};
  for (std::size_t a = 0; a < kDTypeCount; ++a) {
    for (std::size_t b = 0; b < kDTypeCount; ++b) {
      EXPECT_EQ(to_string(promote(kAllDTypes[a], kAllDTypes[b])), table[a][b])
          << to_string(kAllDTypes[a]) << " with " << to_string(kAllDTypes[b]);
    }
  }
}

TEST(DType, NamesReadBack) {
  for (const DType dtype : kAllDTypes) EXPECT_EQ(dtype_named(name_of(dtype)), dtype);
  EXPECT_EQ(dtype_named("float"), std::nullopt);
  EXPECT_EQ(dtype_named(""), std::nullopt);
}

TEST(DType, KnowsItsSizeAndSort) {
  EXPECT_EQ(size_of(dtype_of<double>), sizeof(double));
  EXPECT_EQ(size_of(dtype_of<float>), sizeof(float));
  EXPECT_EQ(size_of(dtype_of<bf16>), sizeof(bf16));
  EXPECT_EQ(size_of(dtype_of<f16>), sizeof(f16));
  EXPECT_EQ(size_of(dtype_of<std::int64_t>), 8u);
  EXPECT_EQ(size_of(dtype_of<std::int32_t>), 4u);
  EXPECT_EQ(size_of(dtype_of<std::uint8_t>), 1u);
  EXPECT_EQ(size_of(dtype_of<bool>), sizeof(bool));
  for (const DType dtype : kAllDTypes) {
    EXPECT_EQ(is_floating(dtype) + is_integer(dtype) + (dtype == DType::boolean), 1);
    EXPECT_TRUE(is_floating(dtype) || !is_half(dtype));
  }
}

}  // namespace
}  // namespace weft
