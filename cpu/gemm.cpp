// SPDX-License-Identifier: Apache-2.0
// Compiled with contraction: multiply-add is one rounding where the CPU has it. Every element of c
// is computed by the same sequence in full and in partial tiles, so bits do not depend on its
// position.
#include "cpu/gemm.h"

#include <cstring>

#include "cpu/clones.h"

namespace weft::cpu {
namespace {

constexpr int kTileRows =
    6;  // 6 × 64 bytes of accumulators: 12 of 16 AVX2 registers, 6 of 32 AVX-512
constexpr int kBlockRows = 96;
constexpr int kBlockColumns = 128;
constexpr int kBlockDepth = 128;

template <class Acc>
struct Lanes;
template <>
struct Lanes<float> {
  using Vector [[gnu::vector_size(64)]] = float;
  static constexpr int kWidth = 16;
};
template <>
struct Lanes<double> {
  using Vector [[gnu::vector_size(64)]] = double;
  static constexpr int kWidth = 8;
};

/// Six rows of a (element p of row i at a[i][p * step]) times one panel of b, rows `b_step` apart.
template <class Acc>
struct TileOperands {
  const Acc* a[kTileRows];
  std::int64_t a_step;
  const Acc* b;
  std::int64_t b_step;
  std::int64_t depth;
};

template <class Acc>
[[gnu::always_inline]] inline void tile(const TileOperands<Acc>& in, Acc* c, std::int64_t ldc,
                                        bool add) {
  using Vector = typename Lanes<Acc>::Vector;
  Vector sum[kTileRows] = {};
  for (std::int64_t p = 0; p < in.depth; ++p) {
    Vector row;
    std::memcpy(&row, in.b + p * in.b_step, sizeof row);
#pragma GCC unroll 6
    for (int i = 0; i < kTileRows; ++i) sum[i] += in.a[i][p * in.a_step] * row;
  }
#pragma GCC unroll 6
  for (int i = 0; i < kTileRows; ++i) {
    if (add) {
      Vector old;
      std::memcpy(&old, c + i * ldc, sizeof old);
      sum[i] += old;
    }
    std::memcpy(c + i * ldc, &sum[i], sizeof sum[i]);
  }
}

/// `tiles` tiles below each other, whose a is packed tile by tile as [depth][6].
template <class Acc>
[[gnu::always_inline]] inline void column_of_tiles(const Acc* a, const Acc* b, std::int64_t depth,
                                                   std::int64_t tiles, Acc* c, std::int64_t ldc) {
  for (std::int64_t t = 0; t < tiles; ++t) {
    TileOperands<Acc> in{{}, kTileRows, b, Lanes<Acc>::kWidth, depth};
    for (int i = 0; i < kTileRows; ++i) in.a[i] = a + t * depth * kTileRows + i;
    tile(in, c + t * kTileRows * ldc, ldc, true);
  }
}

WEFT_CLONES void packed_tiles(const float* a, const float* b, std::int64_t depth,
                              std::int64_t tiles, float* c, std::int64_t ldc) {
  column_of_tiles(a, b, depth, tiles, c, ldc);
}
WEFT_CLONES void packed_tiles(const double* a, const double* b, std::int64_t depth,
                              std::int64_t tiles, double* c, std::int64_t ldc) {
  column_of_tiles(a, b, depth, tiles, c, ldc);
}
WEFT_CLONES void strided_tile(const TileOperands<float>& in, float* c, std::int64_t ldc) {
  tile(in, c, ldc, false);
}

/// Rows [0, rows) × depth of op(a) into tiles of 6 rows; missing rows are zero.
template <class Acc, class T>
void pack_rows(const T* a, std::int64_t row_step, std::int64_t depth_step, std::int64_t rows,
               std::int64_t depth, Acc* packed) {
  for (std::int64_t i = 0; i < rows; i += kTileRows) {
    for (int r = 0; r < kTileRows; ++r) {
      Acc* to = packed + i * depth + r;
      if (i + r >= rows) {
        for (std::int64_t p = 0; p < depth; ++p) to[p * kTileRows] = Acc{0};
        continue;
      }
      const T* from = a + (i + r) * row_step;
      for (std::int64_t p = 0; p < depth; ++p)
        to[p * kTileRows] = static_cast<Acc>(from[p * depth_step]);
    }
  }
}

/// `depth` × `columns` of op(b) into panels of one vector; missing columns are zero.
template <class Acc, class T>
void pack_columns(const T* b, std::int64_t depth_step, std::int64_t column_step, std::int64_t depth,
                  std::int64_t columns, Acc* packed) {
  constexpr std::int64_t width = Lanes<Acc>::kWidth;
  for (std::int64_t j = 0; j < columns; j += width) {
    const std::int64_t present = std::min(width, columns - j);
    Acc* panel = packed + j * depth;
    if (present < width) std::fill(panel, panel + depth * width, Acc{0});
    if (column_step == 1) {
      for (std::int64_t p = 0; p < depth; ++p) {
        for (std::int64_t c = 0; c < present; ++c)
          panel[p * width + c] = static_cast<Acc>(b[p * depth_step + j + c]);
      }
    } else {
      for (std::int64_t c = 0; c < present; ++c) {
        const T* from = b + (j + c) * column_step;
        for (std::int64_t p = 0; p < depth; ++p)
          panel[p * width + c] = static_cast<Acc>(from[p * depth_step]);
      }
    }
  }
}

template <class T, class C>
struct Block {
  using Acc = AccOf<T>;
  alignas(64) Acc a[kBlockRows * kBlockDepth];
  alignas(64) Acc b[kBlockDepth * kBlockColumns];
  alignas(64) Acc c[kBlockRows * kBlockColumns];

  /// Rows from i and columns from j of the product, up to a block of each.
  void run(const Gemm<T, C>& g, std::int64_t i, std::int64_t j) {
    constexpr std::int64_t width = Lanes<Acc>::kWidth;
    const std::int64_t rows = std::min<std::int64_t>(kBlockRows, g.m - i);
    const std::int64_t columns = std::min<std::int64_t>(kBlockColumns, g.n - j);
    const std::int64_t tiles = (rows + kTileRows - 1) / kTileRows;
    const std::int64_t a_row = g.transpose_a ? 1 : g.lda, a_depth = g.transpose_a ? g.lda : 1;
    const std::int64_t b_depth = g.transpose_b ? 1 : g.ldb, b_column = g.transpose_b ? g.ldb : 1;
    std::fill(c, c + tiles * kTileRows * kBlockColumns, Acc{0});
    for (std::int64_t p = 0; p < g.k; p += kBlockDepth) {
      const std::int64_t depth = std::min<std::int64_t>(kBlockDepth, g.k - p);
      pack_rows(g.a + i * a_row + p * a_depth, a_row, a_depth, rows, depth, a);
      pack_columns(g.b + p * b_depth + j * b_column, b_depth, b_column, depth, columns, b);
      for (std::int64_t column = 0; column < columns; column += width) {
        packed_tiles(a, b + column * depth, depth, tiles, c + column, kBlockColumns);
      }
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      C* to = g.c + (i + r) * g.ldc + j;
      const Acc* from = c + r * kBlockColumns;
      if (g.accumulate) {
        for (std::int64_t q = 0; q < columns; ++q)
          to[q] = static_cast<C>(static_cast<Acc>(to[q]) + from[q]);
      } else {
        for (std::int64_t q = 0; q < columns; ++q) to[q] = static_cast<C>(from[q]);
      }
    }
  }
};

template <class T, class C>
void blocked(const Gemm<T, C>& g) {
  Block<T, C> block;
  for (std::int64_t j = 0; j < g.n; j += kBlockColumns) {
    for (std::int64_t i = 0; i < g.m; i += kBlockRows) block.run(g, i, j);
  }
}

}  // namespace

void portable_gemm(const Gemm<double, double>& g) { blocked(g); }
void portable_gemm(const Gemm<float, float>& g) { blocked(g); }
void portable_gemm(const Gemm<bf16, bf16>& g) { blocked(g); }
void portable_gemm(const Gemm<bf16, float>& g) { blocked(g); }
void portable_gemm(const Gemm<f16, f16>& g) { blocked(g); }
void portable_gemm(const Gemm<f16, float>& g) { blocked(g); }

void small_gemm(const Gemm<float, float>& g) {
  constexpr std::int64_t width = Lanes<float>::kWidth;
  alignas(64) float panel[kSmallDepth * width];
  alignas(64) float partial[kTileRows * width];
  const std::int64_t row_step = g.transpose_a ? 1 : g.lda;
  for (std::int64_t j = 0; j < g.n; j += width) {
    const std::int64_t columns = std::min(width, g.n - j);
    TileOperands<float> in{{}, g.transpose_a ? g.lda : 1, g.b + j, g.ldb, g.k};
    if (g.transpose_b || columns < width) {
      const std::int64_t depth_step = g.transpose_b ? 1 : g.ldb,
                         column_step = g.transpose_b ? g.ldb : 1;
      pack_columns(g.b + j * column_step, depth_step, column_step, g.k, columns, panel);
      in.b = panel;
      in.b_step = width;
    }
    for (std::int64_t i = 0; i < g.m; i += kTileRows) {
      const std::int64_t rows = std::min<std::int64_t>(kTileRows, g.m - i);
      // Rows past the end repeat the last one; they are not stored.
      for (int r = 0; r < kTileRows; ++r)
        in.a[r] = g.a + (i + std::min<std::int64_t>(r, rows - 1)) * row_step;
      float* c = g.c + i * g.ldc + j;
      if (rows == kTileRows && columns == width && !g.accumulate) {
        strided_tile(in, c, g.ldc);
        continue;
      }
      strided_tile(in, partial, width);
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t q = 0; q < columns; ++q) {
          float& to = c[r * g.ldc + q];
          to = g.accumulate ? to + partial[r * width + q] : partial[r * width + q];
        }
      }
    }
  }
}

}  // namespace weft::cpu
