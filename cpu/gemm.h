// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cpu/parallel.h"
#include "weft/base/half.h"

namespace weft::cpu {

/// The type in which products of T are summed.
template <class T>
using AccOf = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// c[m,n] (+)= op(a) op(b), row-major; `lda`, `ldb`, `ldc` are the row lengths of the stored
/// matrices. With `transpose_a` a is stored [k,m], with `transpose_b` b is stored [n,k].
template <class T, class C>
struct Gemm {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  const T* a = nullptr;
  std::int64_t lda = 0;
  const T* b = nullptr;
  std::int64_t ldb = 0;
  C* c = nullptr;
  std::int64_t ldc = 0;
  bool accumulate = false;
};

/// How one product is cut into independent pieces: by shape alone, never by the number of threads.
struct GemmSlices {
  std::int64_t rows = 1;  ///< of a piece
  std::int64_t columns = 1;
  std::int64_t across = 1;  ///< pieces side by side
  std::int64_t count = 1;
};

/// Pieces of at least 8 MFLOP (30 us of one core), at most 32 of them. Each piece packs its
/// operands, which costs the more the larger the product, so larger products have larger pieces; a
/// few rows are bound by memory and lose by being cut. Measured: at least 90 % of one call.
inline GemmSlices gemm_slices(std::int64_t m, std::int64_t n, std::int64_t k) {
  const auto ceil_div = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const double flops =
      2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const auto wanted = static_cast<std::int64_t>(std::clamp(flops / 8e6, 1.0, 32.0));
  const std::int64_t side = flops < 2e8 ? 128 : flops < 1e9 ? 256 : 512;
  const auto down = std::clamp(m / side, std::int64_t{1}, wanted);
  const auto across = std::clamp(n / (m < 32 ? 2048 : side), std::int64_t{1}, wanted / down);
  GemmSlices slices;
  slices.rows = ceil_div(ceil_div(m, down), 16) * 16;
  slices.columns = ceil_div(ceil_div(n, across), 16) * 16;
  slices.across = ceil_div(n, slices.columns);
  slices.count = ceil_div(m, slices.rows) * slices.across;
  return slices;
}

/// Piece `i` of `g`, its operands not moved yet; its first row and column in the whole are returned
/// through `row` and `column`.
template <class T, class C>
Gemm<T, C> gemm_slice_shape(const Gemm<T, C>& g, const GemmSlices& slices, std::int64_t i,
                            std::int64_t& row, std::int64_t& column) {
  row = i / slices.across * slices.rows;
  column = i % slices.across * slices.columns;
  Gemm<T, C> piece = g;
  piece.m = std::min(slices.rows, g.m - row);
  piece.n = std::min(slices.columns, g.n - column);
  return piece;
}

template <class T, class C>
Gemm<T, C> gemm_slice(const Gemm<T, C>& g, const GemmSlices& slices, std::int64_t i,
                      std::int64_t& row, std::int64_t& column) {
  Gemm<T, C> piece = gemm_slice_shape(g, slices, i, row, column);
  piece.a += g.transpose_a ? row : row * g.lda;
  piece.b += g.transpose_b ? column * g.ldb : column;
  piece.c += row * g.ldc + column;
  return piece;
}

/// The blocked kernel that is always there: packs both operands, accumulates in f64 for f64 and in
/// f32 otherwise, k in order within blocks of 128.
void portable_gemm(const Gemm<double, double>& g);
void portable_gemm(const Gemm<float, float>& g);
void portable_gemm(const Gemm<bf16, bf16>& g);
void portable_gemm(const Gemm<bf16, float>& g);
void portable_gemm(const Gemm<f16, f16>& g);
void portable_gemm(const Gemm<f16, float>& g);

/// For products too small for packing and call overhead to pay: k at most `kSmallDepth`.
inline constexpr std::int64_t kSmallDepth = 256;
void small_gemm(const Gemm<float, float>& g);

}  // namespace weft::cpu
