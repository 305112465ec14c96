// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <limits>

#include "cpu/clones.h"
#include "cpu/lanes.h"
#include "cpu/register.h"
#include "cpu/row_sums.h"
#include "weft/math/exp.h"
#include "weft/op/attrs/softmax.h"
#include "weft/op/registry.h"

namespace weft::cpu {

namespace {

/// A tensor as [outer, extent, inner] round one of its dimensions.
struct Axis {
  std::int64_t outer = 1;
  std::int64_t extent = 1;
  std::int64_t inner = 1;
};

Axis axis_of(const Shape& shape, std::int64_t dim) {
  if (shape.rank() == 0) return {};
  const int d = static_cast<int>(dim < 0 ? dim + shape.rank() : dim);
  return {shape.numel(0, d), shape[d], shape.numel(d + 1, shape.rank())};
}

template <class C>
constexpr C kMinusInf = -std::numeric_limits<C>::infinity();

// -inf - -inf is NaN: a fully masked row is shifted by 0 instead, so that all its terms are
// exp(-inf).
template <class C>
WEFT_INLINE C shift_for(C max) {
  return max == kMinusInf<C> ? C{0} : max;
}

template <class C>
WEFT_INLINE C inverse_of(C sum) {
  return sum == C{0} ? C{0} : C{1} / sum;
}

template <class T>
WEFT_INLINE Wide<T> max_of(const T* x, std::int64_t n) {
  using C = Wide<T>;
  C buffer[kBlock];
  LaneMax<C> max;
  for_blocks(n, [&](std::int64_t begin, std::int64_t m) {
    const C* v = widened(x + begin, m, buffer);
    max.add(m, [&](std::int64_t i) { return v[i]; });
  });
  return max.total();
}

// reads x and writes y; the row stays in cache between its passes: 2 * numel * sizeof(T)
template <class T>
WEFT_CLONES void softmax_rows(const T* x_rows, T* y_rows, std::int64_t width, std::int64_t first,
                              std::int64_t last) {
  using C = Wide<T>;
  C buffer[kBlock];
  for (std::int64_t row = first; row < last; ++row) {
    const T* x = x_rows + row * width;
    T* y = y_rows + row * width;
    const C shift = shift_for(max_of(x, width));
    LaneSums<C> sums;
    for_blocks(width, [&](std::int64_t begin, std::int64_t m) {
      C* e = buffer;
      if constexpr (std::is_same_v<T, C>) e = y + begin;
      prefetch(x + width + begin, m);
      store(e, m,
            [&](std::int64_t i) { return math::exp_normal(static_cast<C>(x[begin + i]) - shift); });
      sums.add(m, [&](std::int64_t i) { return e[i]; });
    });
    const C inverse = inverse_of(sums.total());
    for_blocks(width, [&](std::int64_t begin, std::int64_t m) {
      if constexpr (std::is_same_v<T, C>) {
        for (std::int64_t i = 0; i < m; ++i) y[begin + i] *= inverse;
      } else {
        // Halves would lose digits between the passes: their exponentials are computed again.
        store(y + begin, m, [&](std::int64_t i) {
          return math::exp_normal(static_cast<C>(x[begin + i]) - shift) * inverse;
        });
      }
    });
  }
}

/// Columns that the kernels of an inner dimension handle side by side.
constexpr std::int64_t kColumns = 64;

template <class T>
WEFT_CLONES void softmax_columns(const T* x, T* y, std::int64_t extent, std::int64_t stride,
                                 std::int64_t n) {
  using C = Wide<T>;
  C max[kColumns], sum[kColumns];
  for (std::int64_t i = 0; i < n; ++i) max[i] = kMinusInf<C>;
  for (std::int64_t k = 0; k < extent; ++k) {
    const T* v = x + k * stride;
    for (std::int64_t i = 0; i < n; ++i) {
      const C value = static_cast<C>(v[i]);
      max[i] = value > max[i] ? value : max[i];
    }
  }
  for (std::int64_t i = 0; i < n; ++i) max[i] = shift_for(max[i]);
  for (std::int64_t i = 0; i < n; ++i) sum[i] = C{0};
  for (std::int64_t k = 0; k < extent; ++k) {
    const T* v = x + k * stride;
    for (std::int64_t i = 0; i < n; ++i) sum[i] += math::exp_normal(static_cast<C>(v[i]) - max[i]);
  }
  for (std::int64_t i = 0; i < n; ++i) sum[i] = inverse_of(sum[i]);
  for (std::int64_t k = 0; k < extent; ++k) {
    const T* v = x + k * stride;
    store(y + k * stride, n,
          [&](std::int64_t i) { return math::exp_normal(static_cast<C>(v[i]) - max[i]) * sum[i]; });
  }
}

/// `fn(offset, columns)` for every strip of columns of every outer index.
template <class F>
void for_columns(const Axis& axis, const F& fn) {
  const std::int64_t strips = (axis.inner + kColumns - 1) / kColumns;
  parallel_for(axis.outer * strips, rows_per_grain(axis.extent * std::min(axis.inner, kColumns)),
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t i = first; i < last; ++i) {
                   const std::int64_t column = i % strips * kColumns;
                   fn(i / strips * axis.extent * axis.inner + column,
                      std::min(kColumns, axis.inner - column));
                 }
               });
}

template <class T>
void softmax(const KernelArgs& args) {
  const Axis axis = axis_of(*args.in(0).shape, args.attrs<SoftmaxAttrs>().dim);
  const T* x = args.in(0).as<T>();
  T* y = args.out(0).as<T>();
  if (axis.inner == 1) {
    return parallel_for(axis.outer, rows_per_grain(axis.extent),
                        [&](std::int64_t first, std::int64_t last) {
                          softmax_rows(x, y, axis.extent, first, last);
                        });
  }
  for_columns(axis, [&](std::int64_t offset, std::int64_t n) {
    softmax_columns(x + offset, y + offset, axis.extent, axis.inner, n);
  });
}

// dx = y (g - sum(g y))
template <class T>
WEFT_CLONES void softmax_grad_rows(const T* g_rows, const T* y_rows, T* dx_rows, std::int64_t width,
                                   std::int64_t first, std::int64_t last) {
  using C = Wide<T>;
  for (std::int64_t row = first; row < last; ++row) {
    const T* g = g_rows + row * width;
    const T* y = y_rows + row * width;
    LaneSums<C> sums;
    sums.add(width, [&](std::int64_t i) { return static_cast<C>(g[i]) * static_cast<C>(y[i]); });
    const C dot = sums.total();
    store(dx_rows + row * width, width,
          [&](std::int64_t i) { return static_cast<C>(y[i]) * (static_cast<C>(g[i]) - dot); });
  }
}

template <class T>
WEFT_CLONES void softmax_grad_columns(const T* g, const T* y, T* dx, std::int64_t extent,
                                      std::int64_t stride, std::int64_t n) {
  using C = Wide<T>;
  C dot[kColumns];
  for (std::int64_t i = 0; i < n; ++i) dot[i] = C{0};
  for (std::int64_t k = 0; k < extent; ++k) {
    const T* g_row = g + k * stride;
    const T* y_row = y + k * stride;
    for (std::int64_t i = 0; i < n; ++i) {
      dot[i] += static_cast<C>(g_row[i]) * static_cast<C>(y_row[i]);
    }
  }
  for (std::int64_t k = 0; k < extent; ++k) {
    const T* g_row = g + k * stride;
    const T* y_row = y + k * stride;
    store(dx + k * stride, n, [&](std::int64_t i) {
      return static_cast<C>(y_row[i]) * (static_cast<C>(g_row[i]) - dot[i]);
    });
  }
}

template <class T>
void softmax_grad(const KernelArgs& args) {
  const Axis axis = axis_of(*args.in(0).shape, args.attrs<SoftmaxAttrs>().dim);
  const T* g = args.in(0).as<T>();
  const T* y = args.in(1).as<T>();
  T* dx = args.out(0).as<T>();
  if (axis.inner == 1) {
    return parallel_for(axis.outer, rows_per_grain(axis.extent),
                        [&](std::int64_t first, std::int64_t last) {
                          softmax_grad_rows(g, y, dx, axis.extent, first, last);
                        });
  }
  for_columns(axis, [&](std::int64_t offset, std::int64_t n) {
    softmax_grad_columns(g + offset, y + offset, dx + offset, axis.extent, axis.inner, n);
  });
}

template <class T>
void add_softmax_kernels() {
  add_kernel("softmax", DeviceKind::cpu, {dtype_of<T>}, {.variant = "portable", .run = softmax<T>});
  add_kernel("softmax_grad", DeviceKind::cpu, {dtype_of<T>},
             {.variant = "portable", .run = softmax_grad<T>});
}

}  // namespace

void register_softmax() {
  add_softmax_kernels<double>();
  add_softmax_kernels<float>();
  add_softmax_kernels<bf16>();
  add_softmax_kernels<f16>();
}

}  // namespace weft::cpu
