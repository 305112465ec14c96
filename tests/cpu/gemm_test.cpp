// SPDX-License-Identifier: Apache-2.0
#include "cpu/gemm.h"

#include <gtest/gtest.h>

#include <vector>

namespace weft::cpu {
namespace {

TEST(GemmSlices, CoverEveryElementOnce) {
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 1, 1},
                                {300, 310, 200},
                                {1, 4096, 4096},
                                {1024, 3072, 768},
                                {4096, 1, 4096},
                                {129, 257, 1000},
                                {100000, 10, 64}}) {
    const GemmSlices slices = gemm_slices(m, n, k);
    EXPECT_LE(slices.count, 32);
    std::int64_t covered = 0, last_row = 0, last_column = 0;
    for (std::int64_t i = 0; i < slices.count; ++i) {
      std::int64_t row = 0, column = 0;
      const auto piece =
          gemm_slice_shape(Gemm<float, float>{.m = m, .n = n, .k = k}, slices, i, row, column);
      EXPECT_GT(piece.m, 0);
      EXPECT_GT(piece.n, 0);
      covered += piece.m * piece.n;
      last_row = row + piece.m;
      last_column = column + piece.n;
    }
    EXPECT_EQ(covered, m * n);
    EXPECT_EQ(last_row, m);
    EXPECT_EQ(last_column, n);
  }
}

/// A matrix with unused places between its rows, whose use would show.
struct Padded {
  std::int64_t rows, columns, step;
  std::vector<float> data;
  Padded(std::int64_t r, std::int64_t c, float fill)
      : rows(r), columns(c), step(c + 3), data(static_cast<std::size_t>(r * step), fill) {}
  float& operator()(std::int64_t r, std::int64_t c) {
    return data[static_cast<std::size_t>(r * step + c)];
  }
};

void expect_exact_product(void (*gemm)(const Gemm<float, float>&), std::int64_t m, std::int64_t n,
                          std::int64_t k, bool ta, bool tb, bool accumulate) {
  Padded a(ta ? k : m, ta ? m : k, 1e30f), b(tb ? n : k, tb ? k : n, 1e30f), c(m, n, 7.0f);
  // Small integers: every order of summation gives the same sum.
  const auto value = [](std::int64_t r, std::int64_t q) {
    return static_cast<float>((r * 7 + q * 5) % 9 - 4);
  };
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t q = 0; q < a.columns; ++q) a(r, q) = value(r, q);
  }
  for (std::int64_t r = 0; r < b.rows; ++r) {
    for (std::int64_t q = 0; q < b.columns; ++q) b(r, q) = value(q, r + 1);
  }
  gemm({m, n, k, ta, tb, a.data.data(), a.step, b.data.data(), b.step, c.data.data(), c.step,
        accumulate});
  for (std::int64_t r = 0; r < m; ++r) {
    for (std::int64_t q = 0; q < n; ++q) {
      float want = accumulate ? 7.0f : 0.0f;
      for (std::int64_t p = 0; p < k; ++p)
        want += (ta ? a(p, r) : a(r, p)) * (tb ? b(q, p) : b(p, q));
      ASSERT_EQ(c(r, q), want) << m << "x" << n << "x" << k << " at " << r << "," << q;
    }
    if (r + 1 < m) {
      for (std::int64_t q = n; q < c.step; ++q)
        ASSERT_EQ(c(r, q), 7.0f) << "written beyond row " << r;
    }
  }
}

void expect_exact_products(void (*gemm)(const Gemm<float, float>&),
                           std::initializer_list<std::array<std::int64_t, 3>> shapes) {
  for (const auto& [m, n, k] : shapes) {
    for (int flags = 0; flags < 8; ++flags)
      expect_exact_product(gemm, m, n, k, flags & 1, flags & 2, flags & 4);
  }
}

TEST(SmallGemm, IsExactForPartialTilesAndPaddedRows) {
  expect_exact_products(
      small_gemm,
      {{1, 1, 1}, {6, 16, 4}, {7, 17, 5}, {13, 31, 33}, {5, 48, kSmallDepth}, {12, 3, 0}});
}

TEST(PortableGemm, IsExactForPartialBlocksAndPaddedRows) {
  expect_exact_products(portable_gemm, {{1, 1, 1},
                                        {6, 16, 4},
                                        {97, 129, 130},
                                        {96, 128, 128},
                                        {3, 300, 257},
                                        {200, 5, 40},
                                        {12, 3, 0}});
}

}  // namespace
}  // namespace weft::cpu
