// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "cuda/common.cuh"

namespace weft::cuda {

/// Where element i of an output lies in N operands that broadcast to it.
template <int N>
struct Strides {
  int rank = 0;
  std::int64_t extents[kMaxRank];
  std::int64_t strides[N][kMaxRank];

  Strides(const Shape& out, const std::array<const Shape*, N>& operands) : rank(out.rank()) {
    std::int64_t step[N];
    for (int k = 0; k < N; ++k) step[k] = 1;
    for (int back = 1; back <= rank; ++back) {
      const int d = rank - back;
      extents[d] = out[d];
      for (int k = 0; k < N; ++k) {
        const Shape& shape = *operands[static_cast<std::size_t>(k)];
        const std::int64_t own = back <= shape.rank() ? shape[shape.rank() - back] : 1;
        strides[k][d] = own == 1 ? 0 : step[k];
        step[k] *= own;
      }
    }
  }

  __device__ void offsets(std::int64_t i, std::int64_t (&at)[N]) const {
    for (int k = 0; k < N; ++k) at[k] = 0;
    for (int d = rank - 1; d >= 0; --d) {
      const std::int64_t index = i % extents[d];
      i /= extents[d];
      for (int k = 0; k < N; ++k) at[k] += index * strides[k][d];
    }
  }
};

}  // namespace weft::cuda
