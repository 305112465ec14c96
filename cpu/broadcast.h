// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "cpu/parallel.h"
#include "weft/base/shape.h"

namespace weft::cpu {

/// N operands read at the shape of the output, with dimensions merged while all operands allow it.
/// In the last dimension every stride is 1 or 0 (repeated).
template <std::size_t N>
struct BroadcastPlan {
  int rank = 0;
  std::array<std::int64_t, kMaxRank> extents{};
  std::array<std::array<std::int64_t, kMaxRank>, N> strides{};

  BroadcastPlan(const Shape& out, const std::array<const Shape*, N>& operands) {
    std::array<std::int64_t, N> step;
    step.fill(1);
    // From the last dimension outwards; turned round below.
    for (int back = 1; back <= out.rank(); ++back) {
      const std::int64_t extent = out[out.rank() - back];
      std::array<std::int64_t, N> stride{};
      for (std::size_t k = 0; k < N; ++k) {
        const Shape& shape = *operands[k];
        const std::int64_t own = back <= shape.rank() ? shape[shape.rank() - back] : 1;
        stride[k] = own == extent ? step[k] : 0;
        step[k] *= own;
      }
      if (extent != 1) append(extent, stride);
    }
    if (rank == 0) append(1, {});
    std::reverse(extents.begin(), extents.begin() + rank);
    for (auto& s : strides) std::reverse(s.begin(), s.begin() + rank);
  }

  std::int64_t inner() const { return extents[last()]; }
  std::int64_t inner_stride(std::size_t k) const { return strides[k][last()]; }
  /// Rows: the output's runs of `inner()` elements.
  std::int64_t rows() const {
    std::int64_t count = 1;
    for (int d = 0; d + 1 < rank; ++d) count *= extents[static_cast<std::size_t>(d)];
    return count;
  }
  /// Where row `row` begins in operand `k`.
  std::int64_t offset(std::size_t k, std::int64_t row) const {
    std::int64_t at = 0;
    for (std::size_t d = last(); d-- > 0;) {
      at += row % extents[d] * strides[k][d];
      row /= extents[d];
    }
    return at;
  }

 private:
  std::size_t last() const { return static_cast<std::size_t>(rank) - 1; }

  void append(std::int64_t extent, const std::array<std::int64_t, N>& stride) {
    const auto at = static_cast<std::size_t>(rank);
    bool merges = rank > 0;
    for (std::size_t k = 0; merges && k < N; ++k) {
      merges = stride[k] == strides[k][at - 1] * extents[at - 1];
    }
    if (merges) {
      extents[at - 1] *= extent;
      return;
    }
    extents[at] = extent;
    for (std::size_t k = 0; k < N; ++k) strides[k][at] = stride[k];
    ++rank;
  }
};

/// `fn(row, begin, end)` for elements [begin, end) of each row, split by shape alone into tasks of
/// about `grain` elements.
template <class F>
void for_rows(std::int64_t rows, std::int64_t inner, std::int64_t grain, const F& fn) {
  if (rows == 0 || inner == 0) return;
  if (inner > grain) {
    const std::int64_t pieces = (inner + grain - 1) / grain;
    parallel_for(rows * pieces, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        const std::int64_t begin = i % pieces * grain;
        fn(i / pieces, begin, std::min(inner, begin + grain));
      }
    });
    return;
  }
  parallel_for(rows, std::max<std::int64_t>(1, grain / inner),
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t row = first; row < last; ++row) fn(row, std::int64_t{0}, inner);
               });
}

}  // namespace weft::cpu
