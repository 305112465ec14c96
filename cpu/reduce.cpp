// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <type_traits>

#include "cpu/clones.h"
#include "cpu/convert.h"
#include "cpu/parallel.h"
#include "cpu/register.h"
#include "weft/op/attrs/reduce.h"
#include "weft/op/registry.h"

// Sums over any dimensions as one or more passes over [outer, reduced, inner]. Every sum is cut by
// shape alone, into lanes, blocks and chunks: the error grows with the depth of that tree, and
// threads do not change it.
namespace weft::cpu {

namespace {

/// Elements of one task; also the longest run that one lane-wise sum covers without partial
/// results.
constexpr std::int64_t kChunk = 65536;
constexpr std::int64_t kBlock = 4096;
constexpr std::int64_t kLanes = 64;
constexpr std::int64_t kPanel = 512;

/// What T is summed in; integers wrap around in i64.
template <class T>
using Sum = std::conditional_t<std::is_same_v<T, double>, double,
                               std::conditional_t<std::is_integral_v<T>, std::uint64_t, float>>;

/// Lane l sums the elements l, l + 64, ...; the lanes are then added in pairs.
template <class S>
WEFT_CLONES S sum_block(const S* x, std::int64_t n) {
  constexpr std::int64_t kWidth = 64 / sizeof(S);
  using Vector [[gnu::vector_size(64)]] = S;
  constexpr std::int64_t kVectors = kLanes / kWidth;
  Vector lanes[kVectors] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t v = 0; v < kVectors; ++v) {
      Vector part;
      std::memcpy(&part, x + i + v * kWidth, sizeof part);
      lanes[v] += part;
    }
  }
  S sums[kLanes];
  std::memcpy(sums, lanes, sizeof sums);
  for (std::int64_t l = 0; i + l < n; ++l) sums[l] += x[i + l];
  for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::int64_t l = 0; l < half; ++l) sums[l] += sums[l + half];
  }
  return sums[0];
}

template <class S>
S sum_short(const S* x, std::int64_t n) {
  S even{0}, odd{0};
  for (std::int64_t i = 0; i + 1 < n; i += 2) {
    even += x[i];
    odd += x[i + 1];
  }
  return n % 2 == 0 ? even + odd : even + odd + x[n - 1];
}

void convert_block(const bf16* from, float* to, std::int64_t n) { widen(from, to, n); }
void convert_block(const f16* from, float* to, std::int64_t n) { widen(from, to, n); }
template <class T>
void convert_block(const T* from, std::uint64_t* to, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<std::uint64_t>(from[i]);
}

template <class S, class T>
S sum_span(const T* x, std::int64_t n) {
  S total{0};
  for (std::int64_t i = 0; i < n; i += kBlock) {
    const std::int64_t m = std::min(kBlock, n - i);
    const S* block;
    S wide[kBlock];
    if constexpr (std::is_same_v<S, T>) {
      block = x + i;
    } else {
      convert_block(x + i, wide, m);
      block = wide;
    }
    total += m < kLanes / 2 ? sum_short(block, m) : sum_block(block, m);
  }
  return total;
}

/// The sums of the columns of x [rows, width]: four rows at a time, 64 rows apart from the next 64.
template <class S, class T>
WEFT_CLONES void sum_columns(S* out, const T* x, std::int64_t rows, std::int64_t stride,
                             std::int64_t width) {
  constexpr std::int64_t kRows = 64;
  for (std::int64_t c = 0; c < width; c += kPanel) {
    const std::int64_t w = std::min(kPanel, width - c);
    S total[kPanel] = {};
    for (std::int64_t first = 0; first < rows; first += kRows) {
      const std::int64_t last = std::min(rows, first + kRows);
      S part[kPanel] = {};
      std::int64_t r = first;
      for (; r + 4 <= last; r += 4) {
        const T* row = x + r * stride + c;
        for (std::int64_t i = 0; i < w; ++i) {
          part[i] += (static_cast<S>(row[i]) + static_cast<S>(row[stride + i])) +
                     (static_cast<S>(row[2 * stride + i]) + static_cast<S>(row[3 * stride + i]));
        }
      }
      for (; r < last; ++r) {
        const T* row = x + r * stride + c;
        for (std::int64_t i = 0; i < w; ++i) part[i] += static_cast<S>(row[i]);
      }
      for (std::int64_t i = 0; i < w; ++i) total[i] += part[i];
    }
    std::copy_n(total, w, out + c);
  }
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// One pass: y[o, i] = sum over r of x[o, r, i].
struct Pass {
  std::int64_t outer, reduced, inner;
  /// inner > 1: `fold` rows are read as one row of `width` columns when a row is too short to
  /// vectorise.
  std::int64_t fold = 1, width = 1;
  /// What one partial result covers: elements when inner == 1, else wide rows.
  std::int64_t per_part = kChunk, parts = 1;

  Pass(std::int64_t o, std::int64_t r, std::int64_t i) : outer(o), reduced(r), inner(i) {
    if (inner > 1) {
      fold = inner < kLanes / 2 && reduced >= kLanes ? kLanes / inner : 1;
      width = inner * fold;
      per_part = std::clamp<std::int64_t>(kChunk / width / 64 * 64, 64, 4096);
    }
    parts = ceil_div(reduced / fold, per_part);
  }
  std::int64_t results() const { return outer * inner; }
  std::int64_t scratch() const { return parts > 1 || fold > 1 ? outer * parts * width : 0; }
};

template <class S, class T>
void sum_contiguous(const Pass& pass, S* out, const T* x, S* scratch) {
  const std::int64_t length = pass.reduced;
  if (pass.parts == 1) {
    parallel_for(pass.outer, std::max<std::int64_t>(1, kChunk / length),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t o = begin; o < end; ++o)
                     out[o] = sum_span<S>(x + o * length, length);
                 });
    return;
  }
  parallel_chunks(pass.outer * pass.parts, [&](std::int64_t i) {
    const std::int64_t begin = i % pass.parts * kChunk;
    const T* row = x + i / pass.parts * length;
    scratch[i] = sum_span<S>(row + begin, std::min(kChunk, length - begin));
  });
  for (std::int64_t o = 0; o < pass.outer; ++o) {
    out[o] = sum_span<S>(scratch + o * pass.parts, pass.parts);
  }
}

/// `sum_columns` of `count` matrices; `matrix(i)` gives {out, x, rows}. Tasks are runs of columns.
template <class S, class F>
void sum_matrices(std::int64_t count, std::int64_t rows, std::int64_t width, const F& matrix) {
  constexpr std::int64_t kColumns = 8 * kPanel;
  const std::int64_t runs = ceil_div(width, kColumns);
  const std::int64_t work = std::max<std::int64_t>(1, rows * std::min(width, kColumns));
  parallel_for(count * runs, std::max<std::int64_t>(1, kChunk / work),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const auto [out, x, n] = matrix(i / runs);
                   const std::int64_t c = i % runs * kColumns;
                   sum_columns<S>(out + c, x + c, n, width, std::min(kColumns, width - c));
                 }
               });
}

template <class S, class T>
struct Matrix {
  S* out;
  const T* x;
  std::int64_t rows;
};

/// Adds the rows that did not fill a wide row, then the `fold` columns that belong together.
template <class S, class T>
void fold_columns(const Pass& pass, S* out, S* wide, const T* rest) {
  const std::int64_t left = pass.reduced % pass.fold * pass.inner;
  for (std::int64_t i = 0; i < left; ++i) wide[i] += static_cast<S>(rest[i]);
  for (std::int64_t i = 0; i < pass.inner; ++i) {
    S total{0};
    for (std::int64_t k = 0; k < pass.fold; ++k) total += wide[k * pass.inner + i];
    out[i] = total;
  }
}

template <class S, class T>
void sum_strided(const Pass& pass, S* out, const T* x, S* scratch) {
  const std::int64_t rows = pass.reduced / pass.fold;
  const std::int64_t matrix = pass.reduced * pass.inner;
  S* first = pass.scratch() > 0 ? scratch : out;
  sum_matrices<S>(pass.outer * pass.parts, std::min(rows, pass.per_part), pass.width,
                  [&](std::int64_t i) {
                    const std::int64_t begin = i % pass.parts * pass.per_part;
                    return Matrix<S, T>{first + i * pass.width,
                                        x + i / pass.parts * matrix + begin * pass.width,
                                        std::min(pass.per_part, rows - begin)};
                  });
  if (pass.fold > 1) {
    for (std::int64_t o = 0; o < pass.outer; ++o) {
      S wide[kLanes];
      sum_columns<S>(wide, first + o * pass.parts * pass.width, pass.parts, pass.width, pass.width);
      fold_columns(pass, out + o * pass.inner, wide, x + o * matrix + rows * pass.width);
    }
  } else if (pass.parts > 1) {
    sum_matrices<S>(pass.outer, pass.parts, pass.width, [&](std::int64_t o) {
      return Matrix<S, S>{out + o * pass.width, first + o * pass.parts * pass.width, pass.parts};
    });
  }
}

template <class S, class T>
void run_pass(const Pass& pass, S* out, const T* x, S* scratch) {
  pass.inner == 1 ? sum_contiguous(pass, out, x, scratch) : sum_strided(pass, out, x, scratch);
}

/// The passes that reduce the dimensions of `mask`, innermost first.
struct Plan {
  std::array<Pass, kMaxRank / 2> passes{Pass(1, 1, 1), Pass(1, 1, 1), Pass(1, 1, 1), Pass(1, 1, 1)};
  std::size_t count = 0;

  Plan(const Shape& shape, std::uint32_t mask) {
    std::int64_t inner = 1, reduced = 1, outer = shape.numel();
    for (int d = shape.rank(); d-- > 0;) {
      if (shape[d] == 1) continue;
      if (((mask >> d) & 1u) != 0) {
        reduced *= shape[d];
        outer /= shape[d];
        continue;
      }
      if (reduced > 1) passes[count++] = Pass(outer, reduced, inner);
      reduced = 1;
      inner *= shape[d];
      outer /= shape[d];
    }
    if (reduced > 1 || count == 0) passes[count++] = Pass(outer, reduced, inner);
  }
};

std::uint32_t reduced_dims(const KernelArgs& args) {
  const auto& attrs = args.attrs<ReduceAttrs>();
  std::uint32_t mask = attrs.dims.empty() ? ~0u : 0u;
  const int rank = args.in(0).shape->rank();
  for (const std::int64_t dim : attrs.dims) mask |= 1u << (dim < 0 ? dim + rank : dim);
  return mask;
}

std::uint32_t broadcast_dims(const KernelArgs& args) {
  const Shape& from = *args.in(0).shape;
  const Shape& to = *args.out().shape;
  const int leading = from.rank() - to.rank();
  std::uint32_t mask = 0;
  for (int d = 0; d < from.rank(); ++d) {
    if (d < leading || to[d - leading] == 1) mask |= 1u << d;
  }
  return mask;
}

using DimsOf = std::uint32_t (*)(const KernelArgs&);

/// The last pass writes the output itself when it has the type of the sums.
template <class T, DimsOf dims>
std::size_t workspace(const KernelArgs& args) {
  if (args.in(0).numel == 0) return 0;
  const Plan plan(*args.in(0).shape, dims(args));
  std::int64_t elements = 0;
  for (std::size_t p = 0; p < plan.count; ++p) {
    const bool direct = p + 1 == plan.count && size_of(args.out().dtype) == sizeof(Sum<T>);
    elements += plan.passes[p].scratch() + (direct ? 0 : plan.passes[p].results());
  }
  return static_cast<std::size_t>(elements) * sizeof(Sum<T>);
}

/// A stored half or the sum itself.
template <class S, class T>
void write_results(T* y, S* sums, std::int64_t n, std::int64_t divisor) {
  if constexpr (std::is_floating_point_v<S>) {
    for (std::int64_t i = 0; i < n && divisor != 1; ++i) sums[i] /= static_cast<S>(divisor);
  }
  if constexpr (!std::is_same_v<S, T>) narrow(sums, y, n);
}

template <class T, DimsOf dims, bool is_mean>
void reduce(const KernelArgs& args) {
  using S = Sum<T>;
  using Y = std::conditional_t<sizeof(T) == 2, T, S>;
  const TensorArg& x = args.in(0);
  Y* y = args.out().as<Y>();
  const std::int64_t results = args.out().numel;
  const std::int64_t divisor = is_mean && results > 0 ? x.numel / results : 1;
  if (x.numel == 0) {
    std::fill_n(y, results, is_mean ? Y(std::numeric_limits<float>::quiet_NaN()) : Y(0.0f));
    return;
  }
  const Plan plan(*x.shape, dims(args));
  S* free = reinterpret_cast<S*>(args.workspace);
  const S* from = nullptr;
  S* to = nullptr;
  for (std::size_t p = 0; p < plan.count; ++p) {
    const Pass& pass = plan.passes[p];
    S* scratch = free;
    free += pass.scratch();
    to = free;
    if constexpr (std::is_same_v<S, Y>) {
      if (p + 1 == plan.count) to = y;
    }
    if (to == free) free += pass.results();
    p == 0 ? run_pass(pass, to, x.as<T>(), scratch) : run_pass(pass, to, from, scratch);
    from = to;
  }
  write_results(y, to, results, divisor);
}

template <class T>
void add_rows(DType dtype) {
  const auto add = [&](const char* op, KernelFn run, WorkspaceFn bytes) {
    add_kernel(op, DeviceKind::cpu, {dtype},
               {.variant = "portable", .run = run, .workspace = bytes});
  };
  add("sum", reduce<T, reduced_dims, false>, workspace<T, reduced_dims>);
  if constexpr (!std::is_integral_v<T>) {
    add("mean", reduce<T, reduced_dims, true>, workspace<T, reduced_dims>);
    add("sum_to", reduce<T, broadcast_dims, false>, workspace<T, broadcast_dims>);
  }
}

}  // namespace

void register_reduce() {
  add_rows<double>(DType::f64);
  add_rows<float>(DType::f32);
  add_rows<bf16>(DType::bf16);
  add_rows<f16>(DType::f16);
  add_rows<std::int64_t>(DType::i64);
  add_rows<std::int32_t>(DType::i32);
  add_rows<std::uint8_t>(DType::u8);
  add_rows<std::uint8_t>(DType::boolean);  // stored as 0 and 1
}

}  // namespace weft::cpu
