// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cpu/parallel.h"
#include "weft/base/half.h"
#include "weft/op/kernel.h"

/// Sums over the rows of a matrix, for gradients of weights and statistics of channels.
namespace weft::cpu {

/// Elements that make about 30 us of work for a memory-bound loop.
inline constexpr std::int64_t kGrain = 32768;

inline std::int64_t rows_per_grain(std::int64_t row_elements) {
  return std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, row_elements));
}

/// How `rows` rows are split: by shape alone, at most 64 chunks.
struct RowSplit {
  std::int64_t rows = 0;
  std::int64_t per_chunk = 1;
  std::int64_t chunks = 1;

  RowSplit(std::int64_t row_count, std::int64_t row_elements) : rows(row_count) {
    per_chunk = std::max(rows_per_grain(row_elements), (rows + 63) / 64);
    chunks = std::max<std::int64_t>(1, (rows + per_chunk - 1) / per_chunk);
  }
  /// Elements of scratch that `sum_rows` needs for `width` sums.
  std::int64_t scratch(std::int64_t width) const { return chunks * 2 * width; }
};

/// Sums `width` quantities over all rows: `add(begin, end, sums)` adds those of rows [begin, end)
/// to `sums`. The totals end up in scratch[0, width). Every 64 rows are summed apart, so that long
/// columns keep their digits.
template <class C, class Add>
void sum_rows(const RowSplit& split, std::int64_t width, C* scratch, const Add& add) {
  constexpr std::int64_t kCascade = 64;
  parallel_chunks(split.chunks, [&](std::int64_t chunk) {
    C* total = scratch + chunk * 2 * width;
    C* part = total + width;
    std::fill(total, total + width, C{0});
    const std::int64_t end = std::min(split.rows, (chunk + 1) * split.per_chunk);
    for (std::int64_t row = chunk * split.per_chunk; row < end; row += kCascade) {
      std::fill(part, part + width, C{0});
      add(row, std::min(end, row + kCascade), part);
      for (std::int64_t i = 0; i < width; ++i) total[i] += part[i];
    }
  });
  for (std::int64_t chunk = 1; chunk < split.chunks; ++chunk) {
    const C* part = scratch + chunk * 2 * width;
    for (std::int64_t i = 0; i < width; ++i) scratch[i] += part[i];
  }
}

template <class T, class C>
void write_sums(T* out, bool accumulate, const C* sums, std::int64_t n) {
  if (accumulate) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(static_cast<C>(out[i]) + sums[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(sums[i]);
  }
}

/// Writes or adds `sums` to output `i`, which may be an f32 sink of a half kernel.
template <class C>
void write_output_sums(const KernelArgs& args, std::size_t i, const C* sums) {
  const TensorArg& out = args.out(i);
  const bool accumulate = args.accumulates(i);
  if constexpr (std::is_same_v<C, double>) {
    write_sums(out.as<double>(), accumulate, sums, out.numel);
  } else if (out.dtype == DType::bf16) {
    write_sums(out.as<bf16>(), accumulate, sums, out.numel);
  } else if (out.dtype == DType::f16) {
    write_sums(out.as<f16>(), accumulate, sums, out.numel);
  } else {
    write_sums(out.as<float>(), accumulate, sums, out.numel);
  }
}

}  // namespace weft::cpu
