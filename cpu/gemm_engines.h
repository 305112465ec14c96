// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "cpu/convert.h"
#include "cpu/gemm.h"
#include "cpu/onednn.h"
#include "cpu/parallel.h"
#include "cpu/workspace.h"
#include "weft/op/kernel.h"

/// The ways to multiply matrices. An engine says in which type it computes for operands of T and
/// runs one piece; `product` cuts a product into pieces and runs them on the pool.
namespace weft::cpu {

struct PortableEngine {
  template <class T>
  using Compute = T;
  template <class T, class C>
  static void run(const Gemm<T, C>& g) {
    portable_gemm(g);
  }
  template <class T, class C>
  static void prepare(const Gemm<T, C>&) {}
};

struct SmallEngine {
  template <class T>
  using Compute = T;
  static void run(const Gemm<float, float>& g) { small_gemm(g); }
  static void prepare(const Gemm<float, float>&) {}
  /// Measured against dnnl_sgemm: ahead up to about 32^3.
  static bool applies(std::int64_t m, std::int64_t n, std::int64_t k) {
    return std::max({m, n, k}) <= kSmallDepth && m * n * k <= 32 * 32 * 32;
  }
};

struct OneDnnEngine {
  template <class T>
  using Compute = T;
  template <class T, class C>
  static void run(const Gemm<T, C>& g) {
    onednn::gemm(g);
  }
  template <class T, class C>
  static void prepare(const Gemm<T, C>& g) {
    onednn::prepare_gemm(g);
  }
};

/// Halves as f32, for CPUs that cannot multiply them.
struct OneDnnF32Engine : OneDnnEngine {
  template <class T>
  using Compute = float;
};

inline constexpr std::int64_t kConvertGrain = 1 << 16;

/// `data` as X: itself, or converted into the workspace.
template <class X, class T>
const X* operand(const T* data, std::int64_t count, Workspace& workspace) {
  if constexpr (std::is_same_v<X, T>) {
    return data;
  } else {
    X* converted = workspace.take<X>(count);
    if (converted && data) {
      parallel_for(count, kConvertGrain, [&](std::int64_t begin, std::int64_t end) {
        widen(data + begin, converted + begin, end - begin);
      });
    }
    return converted;
  }
}

/// out[i] (+)= sums[i], narrowed to C.
template <class X, class C>
void write_sums(const X* sums, C* out, std::int64_t count, bool accumulate) {
  parallel_for(count, kConvertGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      out[i] = static_cast<C>(accumulate ? static_cast<X>(out[i]) + sums[i] : sums[i]);
    }
  });
}

/// out[i] (+)= parts[0][i] + parts[1][i] + ..., the parts lying `stride` apart.
template <class A, class C>
void sum_parts(const A* parts, std::int64_t stride, std::int64_t count, C* out, std::int64_t size,
               bool accumulate) {
  parallel_for(size, kConvertGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      A sum = parts[i];
      for (std::int64_t p = 1; p < count; ++p) sum += parts[p * stride + i];
      out[i] = static_cast<C>(accumulate ? static_cast<A>(out[i]) + sum : sum);
    }
  });
}

/// Calls `run` with `out` as a pointer to its type: the compute dtype, or f32 for the sink of a
/// half.
template <class T, class Run>
void with_output(const TensorArg& out, Run&& run) {
  if (out.dtype == dtype_of<T>) {
    run(out.as<T>());
  } else {
    run(out.as<AccOf<T>>());
  }
}

/// Runs `batch` products, product i being g moved by `move(g, i)`, and after each finished piece
/// `after(i, row, column, rows, columns)`. Pieces depend on the shape alone.
template <class Engine, class X, class C, class Move, class After>
void products(const Gemm<X, C>& g, std::int64_t batch, Move&& move, After&& after) {
  if (g.m == 0 || g.n == 0 || batch == 0) return;
  const GemmSlices slices = gemm_slices(g.m, g.n, g.k);
  const double flops =
      2.0 * static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
  const auto together =
      slices.count > 1 ? 1 : static_cast<std::int64_t>(std::max(1.0, 8e6 / std::max(flops, 1.0)));
  parallel_for(batch * slices.count, together, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      Gemm<X, C> whole = g;
      move(whole, i / slices.count);
      std::int64_t row = 0, column = 0;
      const Gemm<X, C> piece = gemm_slice(whole, slices, i % slices.count, row, column);
      if (piece.k > 0) {
        Engine::run(piece);
      } else if (!piece.accumulate) {
        for (std::int64_t r = 0; r < piece.m; ++r)
          std::fill_n(piece.c + r * piece.ldc, piece.n, static_cast<C>(0.0f));
      }
      after(i / slices.count, row, column, piece.m, piece.n);
    }
  });
}

template <class Engine, class X, class C, class After>
void product(const Gemm<X, C>& g, After&& after) {
  products<Engine>(
      g, 1, [](Gemm<X, C>&, std::int64_t) {},
      [&](std::int64_t, std::int64_t row, std::int64_t column, std::int64_t rows,
          std::int64_t columns) { after(row, column, rows, columns); });
}
template <class Engine, class X, class C>
void product(const Gemm<X, C>& g) {
  product<Engine>(g, [](std::int64_t, std::int64_t, std::int64_t, std::int64_t) {});
}

/// Makes what the pieces of `g` need: they have at most four different shapes.
template <class Engine, class X, class C>
void prepare_product(const Gemm<X, C>& g) {
  if (g.m == 0 || g.n == 0 || g.k == 0) return;
  const GemmSlices slices = gemm_slices(g.m, g.n, g.k);
  const std::int64_t last_row = slices.count - slices.across;
  std::int64_t row = 0, column = 0, previous = -1;
  for (const std::int64_t i : {std::int64_t{0}, slices.across - 1, last_row, slices.count - 1}) {
    if (i == previous) continue;
    Engine::prepare(gemm_slice_shape(g, slices, i, row, column));
    previous = i;
  }
}

/// out[i] (+)= sum over rows of `columns` columns of a [rows, columns] matrix. Rows are summed in
/// blocks of 256 in the accumulator type, blocks in double.
template <class X, class C>
void column_sums(const X* data, std::int64_t rows, std::int64_t columns, C* out, bool accumulate) {
  constexpr std::int64_t kStrip = 64, kRows = 256;
  const std::int64_t strips_together =
      std::max<std::int64_t>(1, (1 << 17) / (kStrip * std::max<std::int64_t>(rows, 1)));
  parallel_for(
      (columns + kStrip - 1) / kStrip, strips_together, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t strip = begin; strip < end; ++strip) {
          const std::int64_t first = strip * kStrip, width = std::min(kStrip, columns - first);
          double total[kStrip] = {};
          for (std::int64_t top = 0; top < rows; top += kRows) {
            AccOf<X> part[kStrip] = {};
            for (std::int64_t r = top; r < std::min(rows, top + kRows); ++r) {
              const X* row = data + r * columns + first;
              for (std::int64_t i = 0; i < width; ++i) part[i] += static_cast<AccOf<X>>(row[i]);
            }
            for (std::int64_t i = 0; i < width; ++i) total[i] += static_cast<double>(part[i]);
          }
          for (std::int64_t i = 0; i < width; ++i) {
            const auto sum = static_cast<AccOf<C>>(total[i]);
            out[first + i] =
                static_cast<C>(accumulate ? static_cast<AccOf<C>>(out[first + i]) + sum : sum);
          }
        }
      });
}

}  // namespace weft::cpu
